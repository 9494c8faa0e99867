/* SPDX-License-Identifier: Apache-2.0
 *
 * Weight gradients that are computed apart from backward have the bits that it gives them at once, in every family and
 * dtype, also if another micro-batch comes in between. Each range is ready once, a layer's with its weights. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "unit/support/rig.h"

enum { SEED = 11, MICROS = 2, LAYERS = 3 };

/* The rig's model, whose micro-batches wait for their weight gradients. */
struct late {
    struct rig *rig;
    struct model model;
    struct base_arena arena;
    float *grads;
    int64_t ready; /* elements reported */
    bool layers;   /* which of them may be */
};

static void on_ready(void *context, int64_t offset, int64_t count) {
    struct late *x = context;
    const struct model_params *p = x->model.params;
    const bool layer = offset >= p->expert0 || (offset >= p->layer0 && offset < p->layer0 + p->layers * p->layer_size);
    if (count) assert_int_equal(layer, x->layers);
    x->ready += count;
}

static void late_open(struct late *x, struct rig *r) {
    struct model_shape shape = r->plan.shape;
    struct parallel_engine *g = &r->engine;
    struct base_error e = {0};
    *x = (struct late){.rig = r, .arena = {.size = (size_t)1 << 30}};
    x->arena.base =
        mmap(NULL, x->arena.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(x->arena.base != MAP_FAILED);
    x->grads = base_arena_take(&x->arena, (size_t)g->params.total * sizeof *x->grads);
    shape.part.chunks = 1;
    shape.part.chunk[0] = (struct model_chunk){0, LAYERS, MICROS, MICROS};
    assert_int_equal(model_open(&x->model, &shape, &g->params, &g->team, g->model.weights, x->grads, &x->arena, &e),
                     BASE_OK);
    x->model.hooks = (struct model_hooks){.context = x, .ready = on_ready};
}
static void late_close(struct late *x) {
    munmap(x->arena.base, x->arena.size);
}

/* Backward of a micro-batch without its weights. */
static void late_pass(struct late *x, int64_t micro, float scale) {
    struct parallel_engine *g = &x->rig->engine;
    const int64_t batch = g->plan->shape.batch;
    model_turn(&x->model, 0, micro, micro, 0);
    x->model.grad_scale = scale;
    data_fill(x->rig->source, 0, MICROS * batch, micro * batch, batch, g->inputs, g->targets);
    model_forward(&x->model, g->inputs);
    model_loss(&x->model, g->targets, scale);
    x->layers = false;
    model_backward(&x->model, g->inputs);
}
static void late_weights(struct late *x, int64_t micro) {
    model_turn(&x->model, 0, micro, micro, 0);
    x->layers = true;
    model_weights(&x->model);
}

static void check_family(const char *family, enum kernel_dtype dtype) {
    const struct model_config c = rig_config_of(family, LAYERS, 64, 4, 100, 40);
    const struct plan_request q = rig_request(&c, dtype, 37, 2, MICROS);
    const float scale = 1.0f / (MICROS * 2 * 37);
    struct rig r;
    struct late x;
    rig_open(&r, &q, kernel_isa_best(), KERNEL_BACKEND_TOISE, SEED);
    const int64_t total = r.engine.params.total;
    late_open(&x, &r);
    rig_zero(&r);
    for (int64_t m = 0; m < MICROS; m++) {
        rig_pass(&r, m * q.layout.micro_batch, scale);
        late_pass(&x, m, scale);
    }
    assert_true(memcmp(x.grads, r.engine.grads, (size_t)total * sizeof *x.grads) != 0);
    for (int64_t m = 0; m < MICROS; m++) late_weights(&x, m);
    for (int64_t i = 0; i < total; i++)
        if (x.grads[i] != r.engine.grads[i]) fail_msg("%s: other bits of element %lld", family, (long long)i);
    assert_int_equal(x.ready, MICROS * total);
    late_close(&x);
    rig_close(&r);
}

static void bits_stay(void **state) {
    (void)state;
    for (int f = 0; f < RIG_FAMILIES; f++)
        for (int dtype = 0; dtype < KERNEL_DTYPE_COUNT; dtype++)
            check_family(rig_families[f], (enum kernel_dtype)dtype);
}

/* A chunk that is not late has nothing left. */
static void nothing_is_left(void **state) {
    (void)state;
    const struct model_config c = rig_config_of("gpt2", LAYERS, 64, 4, 100, 40);
    const struct plan_request q = rig_request(&c, KERNEL_F32, 37, 2, 1);
    struct rig r;
    rig_open(&r, &q, kernel_isa_best(), KERNEL_BACKEND_TOISE, SEED);
    rig_pass(&r, 0, 1);
    const uint64_t before = parallel_gradients_mix(&r.engine);
    model_weights(&r.engine.model);
    assert_true(parallel_gradients_mix(&r.engine) == before);
    rig_close(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(bits_stay), cmocka_unit_test(nothing_is_left)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
