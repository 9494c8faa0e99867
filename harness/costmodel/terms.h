/* SPDX-License-Identifier: Apache-2.0
 *
 * The terms that a step's price is made of, once: the step computes them, its record and --explain list them. */
#ifndef TOISE_COSTMODEL_TERMS_H
#define TOISE_COSTMODEL_TERMS_H

/* T(name, part, meaning), in the order of a record. Each is a field of struct cost_step, in seconds. */
#define COST_TERM_LIST(T)                                                                                              \
    T(linear, LAYERS, "matmuls")                                                                                       \
    T(attention, LAYERS, "scores, softmax and weighted values")                                                        \
    T(passes, LAYERS, "passes over memory: norms, biases, residuals, the MLP's function")                              \
    T(launch, LAYERS, "what kernel launches take beyond their kernels")                                                \
    T(head, LAYERS, "logits, loss and their gradients")                                                                \
    T(tensor_parallel, LAYERS, "exposed all-reduces of activations")                                                   \
    T(zero3, LAYERS, "exposed all-gathers of weights and reduce-scatters of gradients")                                \
    T(imbalance, STEP, "the slowest pipeline stage over the mean one")                                                 \
    T(bubble, STEP, "filling and draining the pipeline")                                                               \
    T(p2p, STEP, "exposed messages from stage to stage")                                                               \
    T(data_parallel, STEP, "exposed sums of gradients and all-gathers of weights")                                     \
    T(embedding, STEP, "all-reduce of the table's gradient between first and last stage")                              \
    T(optimizer, STEP, "AdamW over the rank's shard")                                                                  \
    T(iteration, STEP, "data, gradient norm, logging")                                                                 \
    T(experts, MIXTURE, "matmuls of the experts")                                                                      \
    T(router, MIXTURE, "scores over the experts, and sorting rows for them")                                           \
    T(all_to_all, MIXTURE, "rows to their experts and back")

enum cost_term {
#define T(name, part, meaning) COST_TERM_##name,
    COST_TERM_LIST(T)
#undef T
        COST_TERMS
};
/* Inside `work`, of a mixture of experts alone, or beside `work`. */
enum cost_term_part { COST_PART_LAYERS, COST_PART_MIXTURE, COST_PART_STEP };
enum cost_term_part cost_term_part(enum cost_term term);
const char *cost_term_name(enum cost_term term);

#endif
