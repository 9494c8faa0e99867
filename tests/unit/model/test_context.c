/* SPDX-License-Identifier: Apache-2.0
 * check: emulated
 *
 * What a context parallel rank has of a sequence: its tokens, and their positions in tables of every family. The ranks
 * together have each token once. tests/mpi/test_layouts.c has what they compute. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "unit/support/rig.h"

static void test_tokens(void **state) {
    enum { MOST = 60 };
    (void)state;
    for (int ranks = 1; ranks <= 5; ranks++)
        for (int64_t length = 1; length <= 6; length++) {
            const int64_t seq = 2 * length, all = ranks * seq;
            int32_t whole[MOST], own[MOST];
            int seen[MOST] = {0};
            for (int32_t i = 0; i < all; i++) whole[i] = i;
            for (int rank = 0; rank < ranks; rank++) {
                const struct model_context c = {ranks, rank};
                model_context_take(c, seq, whole, own);
                for (int64_t i = 0; i < seq; i++) {
                    assert_int_equal(own[i], model_context_position(c, seq, i));
                    seen[own[i]]++;
                }
                assert_int_equal(own[0], rank * length);
                assert_int_equal(own[seq - 1], all - 1 - rank * length);
            }
            for (int64_t i = 0; i < all; i++) assert_int_equal(seen[i], 1);
        }
    const struct model_context alone = {0, 0};
    assert_int_equal(model_context_position(alone, 7, 5), 5);
}

/* By the definition, pair by pair, of a window longer by one. */
static void test_sees(void **state) {
    (void)state;
    for (int64_t length = 1; length <= 5; length++)
        for (int64_t window = 0; window <= 22; window++)
            for (int64_t queries = 0; queries < 4; queries++)
                for (int64_t keys = 0; keys < 4; keys++) {
                    int64_t nearest = INT64_MAX;
                    for (int64_t i = queries * length; i < (queries + 1) * length; i++)
                        for (int64_t j = keys * length; j < (keys + 1) * length; j++)
                            if (i >= j && i - j < nearest) nearest = i - j;
                    assert_int_equal(model_context_sees(queries, keys, length, window),
                                     nearest != INT64_MAX && (!window || nearest <= window));
                }
}

static void no_exchange(void *context, enum model_exchange what, const void *to, void *from, size_t bytes) {
    (void)context, (void)what, (void)to, (void)from, (void)bytes;
}
static void no_load(void *context, float *x, int64_t n) {
    (void)context, (void)x, (void)n;
}
static void no_wait(void *context, enum model_exchange what) {
    (void)context, (void)what;
}

/* A rank's model with the rig's weights. */
struct part {
    struct model model;
    struct model_shape shape;
    void *memory;
};
static void part_open(struct part *p, const struct rig *r, int ranks, int rank) {
    struct base_error e = {0};
    p->shape = r->plan.shape;
    p->shape.context = (struct model_context){ranks, rank};
    p->shape.seq /= ranks, p->shape.head_rows = 1;
    struct base_arena arena = {.size = (size_t)1 << 22};
    arena.base = p->memory = aligned_alloc(4096, arena.size);
    assert_non_null(p->memory);
    if (model_open(&p->model, &p->shape, &r->engine.params, &r->engine.team, r->engine.master, r->engine.grads, &arena,
                   &e))
        fail_msg("%s", e.text);
    p->model.hooks.exchange = no_exchange, p->model.hooks.exchanged = no_wait, p->model.hooks.load = no_load;
}

/* The embedding of its tokens, and the rotary angles, are those of the whole sequences at its positions. */
static void check_part(const struct rig *r, int ranks, int rank) {
    const int64_t seq = r->plan.shape.seq, own = seq / ranks, batch = r->plan.shape.batch;
    const int64_t width = r->plan.part.width, half = r->plan.part.head_dim / 2;
    int32_t tokens[64];
    struct part p;
    part_open(&p, r, ranks, rank);
    for (int64_t b = 0; b < batch; b++)
        model_context_take(p.shape.context, own, r->engine.inputs + b * seq, tokens + b * own);
    model_forward(&p.model, tokens);
    const float *mine = model_entry(&p.model), *whole = model_entry(&r->engine.model);
    const float *table = p.model.buffers[MODEL_POSITION], *of_all = r->engine.model.buffers[MODEL_POSITION];
    for (int64_t t = 0; t < batch * own; t++) {
        const int64_t at = model_context_position(p.shape.context, own, t % own), row = t / own * seq + at;
        assert_memory_equal(mine + t * width, whole + row * width, (size_t)width * sizeof *mine);
        if (r->plan.part.family->position != MODEL_POSITION_ROTARY) continue;
        assert_memory_equal(table + t % own * half, of_all + at * half, (size_t)half * sizeof *table);
        assert_memory_equal(table + (own + t % own) * half, of_all + (seq + at) * half, (size_t)half * sizeof *table);
    }
    free(p.memory);
}

static void test_positions(void **state) {
    (void)state;
    for (int f = 0; f < RIG_FAMILIES; f++) {
        const struct model_config c = rig_config_of(rig_families[f], 1, 32, 4, 53, 25);
        const struct plan_request q = rig_request(&c, KERNEL_F32, 24, 2, 1);
        struct rig r;
        rig_open(&r, &q, kernel_isa_best(), KERNEL_BACKEND_TOISE, 7);
        rig_pass(&r, 0, 0);
        for (int ranks = 2; ranks <= 4; ranks++)
            for (int rank = 0; rank < ranks; rank++) check_part(&r, ranks, rank);
        rig_close(&r);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_sees),
        cmocka_unit_test(test_positions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
