/* SPDX-License-Identifier: Apache-2.0
 *
 * A small model in an engine of one rank, with a data source; also the same global batch in the FP64 reference. Tests
 * of model, plan, gate and step share it. A failure ends the test. */
#ifndef TOISE_TESTS_RIG_H
#define TOISE_TESTS_RIG_H

#include "model/reference.h"
#include "parallel/step.h"

struct rig {
    struct plan plan;
    struct comm world;
    struct kernel_ops ops;
    struct parallel_engine engine;
    struct data_source *source;
    int32_t *chosen; /* the experts of the last passes over the global batch, which the reference takes; else NULL */
};

/* Every family that can be trained. */
enum { RIG_FAMILIES = 6 };
extern const char *const rig_families[RIG_FAMILIES];

/* Sizes of the GPT-2 family; ffn is four times the width. */
struct model_config rig_config(int64_t layers, int64_t width, int64_t heads, int64_t vocab, int64_t positions);
/* Of any family. Mixtures have four experts, of which a token passes two. Rotary ones share a key/value head between
 * two query heads, and those with shared experts have two; those with a window have one of a third of the positions. */
struct model_config rig_config_of(const char *family, int64_t layers, int64_t width, int64_t heads, int64_t vocab,
                                  int64_t positions);
/* `accumulation` micro-batches of `micro` sequences of `seq` tokens, one thread, one rank. */
struct plan_request rig_request(const struct model_config *config, enum kernel_dtype dtype, int64_t seq, int64_t micro,
                                int64_t accumulation);
/* Opens everything on the best kernels up to `cap`; weights are hot, from `seed`. */
void rig_open(struct rig *r, const struct plan_request *request, enum kernel_isa cap, enum kernel_backend backend,
              uint64_t seed);
void rig_close(struct rig *r);

/* Forward, loss and backward of the micro-batch that starts at sequence `first`; gradients are accumulated. */
double rig_pass(struct rig *r, int64_t first, float scale);
void rig_zero(struct rig *r);

/* The whole global batch in FP64, rounded as `dtype` rounds: the mean loss per token, and its gradient in
 * grads[params.total] (zeroed here). Reads the rig's weights. */
double rig_reference(const struct rig *r, enum kernel_dtype dtype, double *grads);
/* The worst tensor's |x - truth| / |truth|. A tensor close to zero is scaled by a hundredth of its share of the
 * whole. */
double rig_worst_tensor(const struct rig *r, const float *grads, const double *truth, const char **where);
/* The same over all tensors together. */
double rig_whole_error(const struct rig *r, const float *grads, const double *truth);

#endif
