/* SPDX-License-Identifier: Apache-2.0
 *
 * The terms that make up a step's price, listed once. The step computes them; its record and --explain list them. */
#ifndef TOISE_COSTMODEL_TERMS_H
#define TOISE_COSTMODEL_TERMS_H

/* T(name, part), in the order of a record. Each is a field of struct cost_step, in seconds a step. */
#define COST_TERM_LIST(T)                                                                                              \
    T(linear, LAYERS)          /* matmuls */                                                                           \
    T(attention, LAYERS)       /* scores, softmax and weighted values */                                               \
    T(passes, LAYERS)          /* elementwise passes: norms, biases, residuals, activation functions */                \
    T(launch, LAYERS)          /* exposed launch time of kernels */                                                    \
    T(head, LAYERS)            /* logits, loss and their gradients */                                                  \
    T(tensor_parallel, LAYERS) /* exposed all-reduces of activations */                                                \
    T(zero3, LAYERS)           /* exposed all-gathers of weights and reduce-scatters of gradients */                   \
    T(imbalance, STEP)         /* the slowest pipeline stage over the mean one */                                      \
    T(bubble, STEP)            /* filling and draining the pipeline */                                                 \
    T(p2p, STEP)               /* exposed p2p between stages */                                                        \
    T(data_parallel, STEP)     /* exposed reductions of gradients and all-gathers of weights */                        \
    T(embedding, STEP)         /* all-reduce of the table's gradient between first and last stage */                   \
    T(optimizer, STEP)         /* AdamW over the rank's shard */                                                       \
    T(iteration, STEP)         /* data, gradient norm, logging */                                                      \
    T(experts, MIXTURE)        /* matmuls of the experts */                                                            \
    T(router, MIXTURE)         /* scores of the experts, and sorting of rows by expert */                              \
    T(all_to_all, MIXTURE)     /* all-to-all of rows to their experts and back */

enum cost_term {
#define T(name, part) COST_TERM_##name,
    COST_TERM_LIST(T)
#undef T
        COST_TERMS
};
/* LAYERS and MIXTURE are inside `work`, MIXTURE only in mixtures of experts; STEP is added to `work`. */
enum cost_term_part { COST_PART_LAYERS, COST_PART_MIXTURE, COST_PART_STEP };
enum cost_term_part cost_term_part(enum cost_term term);
const char *cost_term_name(enum cost_term term);

#endif
