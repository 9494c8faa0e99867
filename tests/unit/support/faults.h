/* SPDX-License-Identifier: Apache-2.0
 *
 * Kernel tables that are wrong in one thing, each as a mistake in training code would be: what the gate must catch.
 * One faulty table at a time (the state is the file's own). They count calls of a model of two layers. */
#ifndef TOISE_TESTS_FAULTS_H
#define TOISE_TESTS_FAULTS_H

#include "kernels.h"
#include "model/config.h"

enum fault {
    FAULT_GELU_SIGN,        /* GELU gradient's sign */
    FAULT_SWIGLU_SIGN,      /* swiglu_backward's sign */
    FAULT_GATE_FOR_VALUE,   /* SwiGLU's halves exchanged, forward and backward */
    FAULT_NORM_PARAMS_SIGN, /* the sign of a norm's parameter gradients */
    FAULT_NORM_RESIDUAL,    /* the gradient of the residual path is not added */
    FAULT_QUERY_SIGN,       /* dq's sign */
    FAULT_HEADS_SWAPPED,    /* the outputs of two heads exchanged */
    FAULT_UNIFORM,          /* attention without scores, forward and backward */
    FAULT_NOT_CAUSAL,       /* attention that sees the whole sequence, forward and backward */
    FAULT_WINDOW_LONG,      /* attention that sees one key too many, forward and backward */
    FAULT_KV_HEAD,          /* key/value heads serve each other's queries, forward and backward */
    FAULT_SLOPES,           /* each head has its neighbour's slope, forward and backward */
    FAULT_KEYS_LATE,        /* keys turned by the next position, forward and backward */
    FAULT_NOT_TURNED_BACK,  /* the gradient of rotary positions turns on, not back */
    FAULT_EMBED_NORM,       /* the norm after the embedding skipped */
    FAULT_EMBED_NORM_GRAD,  /* its gradient passed on as it came */
    FAULT_BIAS_LOST,        /* one bias has no gradient */
    FAULT_TARGET_LATE,      /* cross-entropy against the next row's target */
    FAULT_POSITIONS,        /* positions one late */
    FAULT_NOT_ADDED,        /* weight gradients overwrite instead of adding up */
    FAULT_NO_CORRECTION,    /* AdamW without bias correction */
    FAULT_DECAY_ALL,        /* AdamW decaying gains and biases too */
    FAULT_NO_CLIP,          /* the clipping scale ignored */
    FAULT_BETA,             /* AdamW with another beta2 than its corrections */
    FAULT_MOMENT_LOST,      /* AdamW forgetting its first moment */
    FAULT_PATH_COUNT,       /* those above must be seen by the small model's check */
    /* and these at full size */
    FAULT_MATMUL_ELEMENT = FAULT_PATH_COUNT, /* one element of one FP32 result of a matmul */
    FAULT_MATMUL_TILE,                       /* the last tile of a matmul */
    FAULT_GELU_TILE,                         /* the last tile of what GELU gave in a matmul */
    FAULT_GELU_GRADIENT_TILE,                /* and of what its gradient gave */
    FAULT_ATTENTION_ROW,                     /* the last row of attention's output */
    FAULT_ATTENTION_GRADIENT,                /* dk of every second key */
    FAULT_COUNT
};

const char *fault_name(enum fault fault);
/* Whether a model has what is done wrong: some have no biases, some no window. */
bool fault_possible(enum fault fault, const struct model_config *config);
/* *faulty becomes `healthy` but for one fault; healthy must outlive it. */
void fault_make(enum fault fault, const struct kernel_ops *healthy, struct kernel_ops *faulty);

#endif
