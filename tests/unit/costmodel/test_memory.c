/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory of layouts against published figures. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "costmodel/memory.h"

#define GIB 1073741824.0

static const struct cost_numerics megatron = {.weight_bytes = 2,
                                              .gradient_bytes = 4,
                                              .optimizer_bytes = 12,
                                              .activation_bytes = 2,
                                              .dropout = true,
                                              .fused_attention = false};

static struct model_config gpt(int64_t layers, int64_t width, int64_t heads) {
    struct model_config c;
    struct base_error e = {0};
    json_t *json =
        json_pack("{s:s, s:I, s:I, s:I, s:i, s:i}", "model_type", "gpt2", "n_embd", (json_int_t)width, "n_layer",
                  (json_int_t)layers, "n_head", (json_int_t)heads, "n_positions", 2048, "vocab_size", 51200);
    if (model_config_parse(&c, "gpt", json, "test", &e)) fail_msg("%s", e.text);
    json_decref(json);
    return c;
}

/* Korthikanti et al. 2022, figure 1 and table 3, in GiB. `plain` and `selective` are the first stage's activations.
 * `states` are weights, gradients and optimizer of a stage without tables. */
static void korthikanti_figure_1(void **state) {
    (void)state;
    static const struct {
        int64_t layers, width, heads, micro_batch, global_batch;
        int tp, pp, vp;
        double states, plain, selective;
    } rows[] = {
        {48, 6144, 64, 4, 4, 8, 1, 1, 45.5625, 59.25, 9.5625},
        {96, 12288, 96, 1, 64, 8, 8, 3, 45.5625, 66.84375, 12.3515625},
        {105, 20480, 128, 1, 280, 8, 35, 3, 31.640625, 114.0234375, 23.076171875},
        {128, 25600, 160, 1, 512, 8, 64, 1, 32.958984375, 131.25, 26.5625},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct model_config c = gpt(rows[i].layers, rows[i].width, rows[i].heads);
        struct plan_layout l = {
            .tp = rows[i].tp, .pp = rows[i].pp, .cp = 1, .dp = 1, .vp = rows[i].vp, .micro_batch = rows[i].micro_batch};
        const struct plan_batch b = {2048, rows[i].global_batch};
        struct plan_pipeline p;
        l.schedule = PLAN_1F1B;
        assert_int_equal(plan_layout_check(&l, &b, &c, NULL), 0);
        plan_layout_pipeline(&l, &b, &p);
        const double held = (double)plan_pipeline_in_flight(&p, 0) * (double)plan_layout_layers(&l, c.layers, 0);
        const double plain = held * cost_memory_layer(&c, &l, &b, &megatron) / GIB;
        l.sequence_parallel = true, l.recompute = PLAN_RECOMPUTE_SELECTIVE;
        const double selective = held * cost_memory_layer(&c, &l, &b, &megatron) / GIB;
        assert_true(fabs(plain / rows[i].plain - 1) < 1e-4);
        assert_true(fabs(selective / rows[i].selective - 1) < 1e-4);
        /* a middle stage has no table; the figure leaves out tables, biases and norms (under 0.1%) */
        double states = 18 * cost_memory_parameters(&c, &l, l.pp / 2);
        if (l.pp == 1) states -= 18.0 * (51200.0 / 8 + 2048) * 6144;
        assert_true(fabs(states / GIB / rows[i].states - 1) < 1e-3);
    }
}

/* Figure 7 of the same paper, in percent of the tensor parallel baseline. */
static void korthikanti_figure_7(void **state) {
    (void)state;
    static const struct {
        int64_t width, heads, micro_batch;
        double sp, selective, both, full;
    } rows[] = {{6144, 64, 4, 66.84, 49.42, 16.18, 7.64},
                {12288, 96, 1, 62.04, 56.53, 18.49, 8.71},
                {20480, 128, 1, 58.31, 62.04, 20.27, 9.42},
                {25600, 160, 1, 58.31, 62.04, 20.27, 9.42}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct model_config c = gpt(8, rows[i].width, rows[i].heads);
        const struct plan_batch b = {2048, rows[i].micro_batch};
        struct plan_layout l = {.tp = 8, .pp = 1, .cp = 1, .dp = 1, .vp = 1, .micro_batch = rows[i].micro_batch};
        const double base = cost_memory_layer(&c, &l, &b, &megatron) / 100;
        l.sequence_parallel = true;
        assert_float_equal(cost_memory_layer(&c, &l, &b, &megatron) / base, rows[i].sp, 0.5);
        l.recompute = PLAN_RECOMPUTE_SELECTIVE;
        assert_float_equal(cost_memory_layer(&c, &l, &b, &megatron) / base, rows[i].both, 0.5);
        l.sequence_parallel = false;
        assert_float_equal(cost_memory_layer(&c, &l, &b, &megatron) / base, rows[i].selective, 0.5);
        l.recompute = PLAN_RECOMPUTE_FULL;
        assert_float_equal(cost_memory_layer(&c, &l, &b, &megatron) / base, rows[i].full, 0.5);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(korthikanti_figure_1),
        cmocka_unit_test(korthikanti_figure_7),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
