/* SPDX-License-Identifier: Apache-2.0
 *
 * Kernel tables with one fault each, such as a mistake in training code would make. The gate must catch them. Only one
 * faulty table can be in use, since its state is static. The faults count calls of a model of two layers. */
#ifndef TOISE_TESTS_FAULTS_H
#define TOISE_TESTS_FAULTS_H

#include "config/config.h"
#include "kernels.h"

enum fault {
    FAULT_GELU_SIGN,        /* GELU gradient's sign */
    FAULT_SWIGLU_SIGN,      /* swiglu_backward's sign */
    FAULT_GATE_FOR_VALUE,   /* SwiGLU's halves exchanged, forward and backward */
    FAULT_NORM_PARAMS_SIGN, /* sign of a norm's parameter gradients */
    FAULT_NORM_RESIDUAL,    /* gradient of the residual path is not added */
    FAULT_QUERY_SIGN,       /* dq's sign */
    FAULT_HEADS_SWAPPED,    /* outputs of two heads exchanged */
    FAULT_UNIFORM,          /* attention without scores, forward and backward */
    FAULT_NOT_CAUSAL,       /* attention sees the whole sequence, forward and backward */
    FAULT_WINDOW_LONG,      /* attention sees one key too many, forward and backward */
    FAULT_KV_HEAD,          /* key/value heads serve the wrong queries, forward and backward */
    FAULT_SLOPES,           /* each head has its neighbour's slope, forward and backward */
    FAULT_KEYS_LATE,        /* keys rotated by the next position, forward and backward */
    FAULT_NOT_TURNED_BACK,  /* gradient of rotary positions is rotated forward, not back */
    FAULT_EMBED_NORM,       /* the norm after the embedding is skipped */
    FAULT_EMBED_NORM_GRAD,  /* its gradient is passed on unchanged */
    FAULT_BIAS_LOST,        /* one bias has no gradient */
    FAULT_TARGET_LATE,      /* cross-entropy against the next row's target */
    FAULT_POSITIONS,        /* positions late by one */
    FAULT_NOT_ADDED,        /* weight gradients overwrite instead of accumulating */
    FAULT_NO_CORRECTION,    /* AdamW without bias correction */
    FAULT_DECAY_ALL,        /* AdamW decays gains and biases too */
    FAULT_NO_CLIP,          /* the clipping scale is ignored */
    FAULT_BETA,             /* AdamW uses another beta2 than its corrections */
    FAULT_MOMENT_LOST,      /* AdamW forgets its first moment */
    FAULT_PATH_COUNT,       /* the check of the small model must see all of the above */
    /* the checks at full size must see these: */
    FAULT_MATMUL_ELEMENT = FAULT_PATH_COUNT, /* one element of one FP32 matmul result */
    FAULT_MATMUL_TILE,                       /* the last tile of a matmul */
    FAULT_GELU_TILE,                         /* the last tile of what a fused GELU wrote */
    FAULT_GELU_GRADIENT_TILE,                /* the same of its gradient */
    FAULT_ATTENTION_ROW,                     /* the last row of attention's output */
    FAULT_ATTENTION_GRADIENT,                /* dk of every second key */
    FAULT_COUNT
};

const char *fault_name(enum fault fault);
/* Whether a model can have the fault: some have no biases, some no window. */
bool fault_possible(enum fault fault, const struct model_config *config);
/* Makes *faulty a copy of `healthy` with one fault; healthy must outlive it. */
void fault_make(enum fault fault, const struct kernel_ops *healthy, struct kernel_ops *faulty);

#endif
