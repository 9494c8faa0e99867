/* SPDX-License-Identifier: Apache-2.0
 * check: emulated
 *
 * A shape that begins later in its sequences, as on a rank that holds a part of them. Learned positions use later rows
 * of the table, to the bit. ALiBi and rotary positions depend only on distances, so only rounding changes. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/buffers.h"
#include "unit/support/rig.h"

enum { POSITIONS = 17, SEQ = 9, LATE = 6, BATCH = 2, SEED = 7 };

/* The rig's weights in a second model that begins at position0. */
struct late {
    struct model model;
    struct base_arena arena;
    struct model_shape shape;
    float *weights, *grads;
};

static void late_open(struct late *l, const struct rig *r, int64_t position0) {
    struct base_error e = {0};
    const size_t n = (size_t)r->engine.params.total;
    l->shape = r->plan.shape;
    l->shape.position0 = position0;
    l->weights = malloc(n * sizeof *l->weights);
    l->grads = calloc(n, sizeof *l->grads);
    assert_true(l->weights && l->grads);
    memcpy(l->weights, r->engine.master, n * sizeof *l->weights);
    l->arena = (struct base_arena){.size = (size_t)r->plan.arenas[PLAN_ACTIVATIONS].bytes};
    l->arena.base = aligned_alloc(4096, (l->arena.size + 4095) / 4096 * 4096);
    assert_non_null(l->arena.base);
    if (model_open(&l->model, &l->shape, &r->engine.params, &r->engine.team, l->weights, l->grads, &l->arena, &e))
        fail_msg("%s", e.text);
}
static void late_close(struct late *l) {
    free(l->arena.base), free(l->weights), free(l->grads);
}
static double late_pass(struct late *l, const struct rig *r) {
    model_forward(&l->model, r->engine.inputs);
    const double loss = model_loss(&l->model, r->engine.targets, 1);
    model_backward(&l->model, r->engine.inputs);
    return loss;
}

static void rig_of(struct rig *r, const char *family, int64_t heads) {
    const struct model_config c = rig_config_of(family, 2, 8 * heads, heads, 53, POSITIONS);
    const struct plan_request q = rig_request(&c, KERNEL_F32, SEQ, BATCH, 1);
    rig_open(r, &q, kernel_isa_best(), KERNEL_BACKEND_TOISE, SEED);
    data_fill(r->source, 0, BATCH, 0, BATCH, r->engine.inputs, r->engine.targets);
}

/* Moving the table by as many rows gives the same model, and its gradient moves too. */
static void test_learned(void **state) {
    (void)state;
    struct rig r;
    struct late first, late;
    rig_of(&r, "gpt2", 4);
    late_open(&first, &r, 0), late_open(&late, &r, LATE);
    const int64_t table = model_params_offset(&r.engine.params, MODEL_POSITION_TABLE, 0), move = LATE * 32;
    memmove(late.weights + table + move, first.weights + table, SEQ * 32 * sizeof(float));
    const double loss = late_pass(&first, &r);
    assert_true(late_pass(&late, &r) == loss);
    assert_memory_equal(late.grads + table + move, first.grads + table, SEQ * 32 * sizeof(float));
    for (int64_t i = 0; i < move; i++) assert_true(late.grads[table + i] == 0);
    memcpy(late.grads + table, first.grads + table, POSITIONS * 32 * sizeof(float));
    assert_memory_equal(late.grads, first.grads, (size_t)r.engine.params.total * sizeof(float));
    late_close(&first), late_close(&late), rig_close(&r);
}

/* The same at both positions, within `bound` roundings. */
static void check_distances(const char *family, int64_t heads, double bound) {
    struct rig r;
    struct late first, late;
    rig_of(&r, family, heads);
    late_open(&first, &r, 0), late_open(&late, &r, LATE);
    const double loss = late_pass(&first, &r), of_loss = fabs(late_pass(&late, &r) / loss - 1) / 0x1p-24;
    const size_t n = (size_t)r.engine.params.total;
    double *truth = malloc(n * sizeof *truth);
    for (size_t i = 0; i < n; i++) truth[i] = (double)first.grads[i];
    const double error = rig_worst_tensor(&r, late.grads, truth, NULL) / 0x1p-24;
    printf("%s at %d: loss off by %.3g, gradients by %.3g roundings\n", family, LATE, of_loss, error);
    assert_true(of_loss <= bound / 8 && error <= bound);
    free(truth);
    late_close(&first), late_close(&late), rig_close(&r);
}
static void test_alibi(void **state) {
    (void)state;
    check_distances("bloom", 4, 64);
    check_distances("bloom", 6, 64);
}

/* Both sides are rounded, so twice the bound of one. The angles are those of later positions. */
static void test_rotary(void **state) {
    (void)state;
    struct rig r;
    struct late late;
    float cosines[SEQ * 4], sines[SEQ * 4];
    check_distances("llama", 4, 128);
    check_distances("mistral", 4, 128);
    rig_of(&r, "llama", 4);
    late_open(&late, &r, LATE);
    const float *table = late.model.buffers[MODEL_POSITION];
    model_position_angles(&r.plan.request.config, LATE, SEQ, cosines, sines);
    assert_memory_equal(table, cosines, sizeof cosines);
    assert_memory_equal(table + SEQ * 4, sines, sizeof sines);
    late_close(&late), rig_close(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learned),
        cmocka_unit_test(test_alibi),
        cmocka_unit_test(test_rotary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
