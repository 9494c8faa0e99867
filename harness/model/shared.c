/* SPDX-License-Identifier: Apache-2.0
 *
 * The shared experts of a mixture (Dai et al. 2024), all of them as one MLP. */
#include "model/block.h"

static bool has_shared(const struct model *m) {
    return m->shape.config->shared > 0;
}

static struct kernel_swiglu swiglu(const struct model *m, int64_t l) {
    return (struct kernel_swiglu){.rows = model_tokens(m),
                                  .cols = model_config_dim(m->shape.config, MODEL_SHARED),
                                  .dtype = m->shape.dtype,
                                  .x = model_buffer_at(m, MODEL_SHARED_UP_OUT, l),
                                  .y = model_buffer_at(m, MODEL_SHARED_ACT, l),
                                  .dy = m->buffers[MODEL_DSHARED],
                                  .dx = model_buffer_at(m, MODEL_DSHARED_UP, l)};
}

static void down_weights(const struct model *m, int64_t l) {
    model_linear_grad_params(m, model_linear_shared_down(m, l), model_stream_kept(m, MODEL_DOUT, l),
                             model_buffer_at(m, MODEL_SHARED_ACT, l));
}
static void up_weights(const struct model *m, int64_t l) {
    model_linear_grad_params(m, model_linear_shared_up(m, l), model_buffer_at(m, MODEL_DSHARED_UP, l),
                             model_buffer_at(m, MODEL_NORM2, l));
}

void model_shared_weights(const struct model *m, int64_t l) {
    if (has_shared(m)) down_weights(m, l), up_weights(m, l);
}

void model_shared_up(const struct model *m, int64_t l, const void *x) {
    if (!has_shared(m)) return;
    model_linear_forward(m, model_linear_shared_up(m, l), x, NULL, model_buffer_at(m, MODEL_SHARED_UP_OUT, l));
    model_shared_activation(m, l);
}

void model_shared_activation(const struct model *m, int64_t l) {
    if (!has_shared(m)) return;
    const struct kernel_swiglu s = swiglu(m, l);
    m->team->ops->swiglu_forward(m->team, &s);
}

bool model_shared_down(const struct model *m, int64_t l, enum kernel_dtype out, const void *d, void *y) {
    if (!has_shared(m)) return false;
    struct kernel_gemm g =
        model_gemm_forward(m, model_linear_shared_down(m, l), model_buffer_at(m, MODEL_SHARED_ACT, l), d, y);
    g.out = out;
    m->team->ops->gemm(m->team, &g);
    return true;
}

void model_shared_down_backward(const struct model *m, int64_t l, const void *dy) {
    if (!has_shared(m)) return;
    const struct model_linear down = model_linear_shared_down(m, l);
    const struct kernel_swiglu s = swiglu(m, l);
    model_weights_now(m, down_weights, l);
    model_linear_grad_input(m, down, dy, m->buffers[MODEL_DSHARED]);
    m->team->ops->swiglu_backward(m->team, &s);
}

bool model_shared_up_backward(const struct model *m, int64_t l, float *dx) {
    if (!has_shared(m)) return false;
    const struct model_linear up = model_linear_shared_up(m, l);
    struct kernel_gemm g = model_gemm_grad_input(m, up, model_buffer_at(m, MODEL_DSHARED_UP, l), dx);
    g.out = KERNEL_F32;
    m->team->ops->gemm(m->team, &g);
    model_weights_now(m, up_weights, l);
    return true;
}
