/* SPDX-License-Identifier: Apache-2.0
 *
 * The parameter table and its initial values: published counts of every preset, offsets that do not overlap or leave
 * their layer, and values that depend only on seed and element. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/params.h"
#include "unit/support/config_json.h"
#include "unit/support/rig.h"

static struct model_config preset(const char *name) {
    return config_json_accepted(config_json_preset(name));
}

/* The published counts. Radford et al. 2019 print rounded ones; these are of the released weights. */
static void test_preset_counts(void **state) {
    (void)state;
    const struct {
        const char *name;
        int64_t layers, width, count;
    } presets[] = {{"gpt2-124m", 12, 768, 124439808},
                   {"gpt2-355m", 24, 1024, 354823168},
                   {"gpt2-774m", 36, 1280, 774030080},
                   {"gpt2-1.5b", 48, 1600, 1557611200}};
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++) {
        struct model_config c = preset(presets[i].name);
        const int64_t w = presets[i].width;
        assert_int_equal(c.parameters, presets[i].count);
        assert_int_equal(c.width, w);
        assert_int_equal(c.layers, presets[i].layers);
        assert_int_equal(c.vocab, 50257);
        assert_int_equal(c.positions, 1024);
        /* a slice lacks whole layers: matrices 12 w^2, biases 9 w, norms 4 w */
        assert_int_equal(model_config_slice(&c, 1, NULL), BASE_OK);
        assert_int_equal(c.parameters, presets[i].count - (presets[i].layers - 1) * (12 * w * w + 13 * w));
    }
}

/* In order, without overlap, aligned to 16 elements unless glued, each layer at its stride. Offsets by role agree. */
static void check_table(const struct model_config *c, const char *last) {
    struct model_params p;
    int64_t end = 0, count = 0;
    assert_int_equal(model_params_open(&p, c, NULL), BASE_OK);
    for (int i = 0; i < p.count; i++) {
        const struct model_tensor *t = &p.tensors[i];
        assert_true(t->offset >= end && t->offset < end + 16);
        if (t->kind->glued)
            assert_int_equal(t->offset, end);
        else
            assert_int_equal(t->offset % 16, 0);
        assert_int_equal(t->count, t->rows * t->cols);
        assert_int_equal(model_params_offset(&p, t->kind->role, t->layer < 0 ? 0 : t->layer) +
                             (t->expert < 0 ? 0 : t->expert * p.expert_each),
                         t->offset);
        end = t->offset + t->count;
        count += t->count;
        if (t->expert >= 0) {
            const int64_t first = p.expert0 + t->layer * p.expert_size + t->expert * p.expert_each;
            assert_true(t->offset >= first && end <= first + p.expert_each);
        } else if (t->layer < 0) {
            assert_true(end <= p.layer0 || t->offset >= p.layer0 + c->layers * p.layer_size);
        } else {
            assert_true(t->offset >= p.layer0 + t->layer * p.layer_size);
            assert_true(end <= p.layer0 + (t->layer + 1) * p.layer_size);
        }
    }
    assert_int_equal(count, c->parameters);
    assert_int_equal(model_params_count(c), c->parameters);
    assert_true(p.total >= end && p.total < end + 16);
    assert_string_equal(p.tensors[p.count - 1].name, last);
    model_params_close(&p);
}
static void test_table(void **state) {
    (void)state;
    const char *const last[RIG_FAMILIES] = {"ln_f.bias",
                                            "ln_f.bias",
                                            "lm_head.weight",
                                            "lm_head.weight",
                                            "layers.2.block_sparse_moe.experts.3.w2.weight",
                                            "layers.2.mlp.experts.3.down_proj.weight"};
    for (int f = 0; f < RIG_FAMILIES; f++) { /* heads of 5: no tensor is a multiple of 16 */
        const struct model_config odd = rig_config_of(rig_families[f], 3, 30, 6, 53, 7);
        check_table(&odd, last[f]);
    }
    const struct model_config gpt2 = preset("gpt2-1.5b"), bloom = preset("bloom-7b1");
    const struct model_config llama = preset("llama-3-8b"), mistral = preset("mistral-7b");
    check_table(&gpt2, "ln_f.bias");
    check_table(&bloom, "ln_f.bias");
    check_table(&llama, "lm_head.weight");
    check_table(&mistral, "lm_head.weight");
}

/* One matmul uses queries, keys and values, another gate and value: each is one matrix without a gap. At width 30 with
 * heads of 5, six for queries and three for keys and values: 30 x 30, 15 x 30, 15 x 30. */
static void test_glued(void **state) {
    (void)state;
    struct model_config c = rig_config_of("llama", 2, 30, 6, 53, 7);
    struct model_params p;
    c.ffn = 41;
    assert_int_equal(model_params_open(&p, &c, NULL), BASE_OK);
    for (int l = 0; l < 2; l++) {
        const int64_t q = model_params_offset(&p, MODEL_QKV_WEIGHT, l),
                      up = model_params_offset(&p, MODEL_UP_WEIGHT, l);
        assert_true(q % 16 == 0 && up % 16 == 0);
        assert_int_equal(model_params_offset(&p, MODEL_KEY_WEIGHT, l), q + 900);
        assert_int_equal(model_params_offset(&p, MODEL_VALUE_WEIGHT, l), q + 1350);
        assert_int_equal(model_params_offset(&p, MODEL_PROJ_WEIGHT, l), q + 1808); /* 1800, aligned again */
        assert_int_equal(model_params_offset(&p, MODEL_UP_VALUE_WEIGHT, l), up + 41 * 30);
    }
    model_params_close(&p);
}

/* A tied head is the token table. An untied one is last and has an offset. */
static void test_head(void **state) {
    (void)state;
    struct model_config untied = rig_config_of("llama", 2, 32, 4, 53, 7), tied = untied;
    struct model_params p, q;
    tied.tied = true;
    assert_int_equal(model_params_count(&untied) - model_params_count(&tied), 53 * 32);
    assert_int_equal(model_params_open(&p, &untied, NULL), BASE_OK);
    assert_int_equal(model_params_open(&q, &tied, NULL), BASE_OK);
    assert_int_equal(p.count, q.count + 1);
    assert_true(model_params_offset(&p, MODEL_HEAD_WEIGHT, 0) >= p.layer0 + 2 * p.layer_size);
    assert_int_equal(model_params_offset(&q, MODEL_HEAD_WEIGHT, 0), -1);
    assert_string_equal(q.tensors[q.count - 1].name, "norm.weight");
    model_params_close(&p), model_params_close(&q);
}

static float *initial(const struct model_config *c, struct model_params *p, uint64_t seed, bool hot, int threads) {
    assert_int_equal(model_params_open(p, c, NULL), BASE_OK);
    float *w = calloc((size_t)p->total, sizeof *w);
    assert_non_null(w);
    const struct model_part part = {.whole = c, .ranks = 1};
    model_params_init(p, &part, seed, hot, threads, 0, p->total, w);
    return w;
}

static void test_same_on_any_threads(void **state) {
    (void)state;
    const struct model_config c = rig_config_of("llama", 2, 96, 4, 1001, 64);
    for (int hot = 0; hot < 2; hot++) {
        struct model_params p, q, again;
        float *one = initial(&c, &p, 3, hot, 1), *other = initial(&c, &q, 4, hot, 1);
        for (int threads = 2; threads <= 5; threads++) {
            float *many = initial(&c, &again, 3, hot, threads);
            assert_memory_equal(one, many, (size_t)p.total * sizeof *one);
            free(many);
            model_params_close(&again);
        }
        assert_memory_not_equal(one, other, (size_t)p.total * sizeof *one);
        free(one), free(other);
        model_params_close(&p), model_params_close(&q);
    }
}

/* Ranges cover the buffer in order; drawn in pieces that end anywhere, it has the same values. */
static void test_pieces(void **state) {
    (void)state;
    for (int f = 0; f < RIG_FAMILIES; f++) {
        const struct model_config c = rig_config_of(rig_families[f], 3, 48, 4, 101, 32);
        const struct model_part part = {.whole = &c, .ranks = 1};
        struct model_params p;
        float *w = initial(&c, &p, 3, true, 2), *piece = malloc((size_t)p.total * sizeof *piece);
        assert_non_null(piece);
        assert_int_equal(model_params_start(&p, 0), 0);
        const int64_t ranges = model_params_ranges(&p);
        assert_int_equal(ranges, p.layers + 2 + (c.experts ? p.layers : 0));
        assert_int_equal(model_params_start(&p, ranges), p.total);
        for (int64_t r = 0; r < ranges; r++) {
            const int64_t start = model_params_start(&p, r), end = model_params_start(&p, r + 1);
            assert_true(end > start);
            assert_int_equal(model_params_range_of(&p, start), r);
            assert_int_equal(model_params_range_of(&p, end - 1), r);
            for (int64_t first = start, n; first < end; first += n) {
                n = first % 7 * 501 + 1 < end - first ? first % 7 * 501 + 1 : end - first;
                memset(piece, 0, (size_t)n * sizeof *piece);
                model_params_init(&p, &part, 3, true, 1, first, n, piece);
                assert_memory_equal(piece, w + first, (size_t)n * sizeof *piece);
            }
        }
        free(w), free(piece);
        model_params_close(&p);
    }
}

/* A slice starts with the same values as those layers of the whole model, including residual scaling. */
static void test_slice_is_a_part(void **state) {
    (void)state;
    struct model_config whole = rig_config(4, 48, 4, 101, 32), slice = whole;
    struct model_params p, q;
    assert_int_equal(model_config_slice(&slice, 2, NULL), BASE_OK);
    float *w = initial(&whole, &p, 5, false, 1), *x = initial(&slice, &q, 5, false, 1);
    assert_memory_equal(w, x, (size_t)(q.layer0 + 2 * q.layer_size) * sizeof *w);
    free(w), free(x);
    model_params_close(&p), model_params_close(&q);
}

/* Mean and standard deviation of n draws, each within five standard errors. */
static void check_moments(const struct model_tensor *t, const float *x, double mean, double std) {
    double sum = 0, square = 0, n = (double)t->count;
    for (int64_t i = 0; i < t->count; i++) {
        sum += (double)x[i] - mean;
        square += ((double)x[i] - mean) * ((double)x[i] - mean);
    }
    if (fabs(sum / n) > 5 * std / sqrt(n) || fabs(sqrt(square / n) / std - 1) > 5 / sqrt(2 * n))
        fail_msg("%s: mean %g, standard deviation %g; wanted %g, %g", t->name, mean + sum / n, sqrt(square / n), mean,
                 std);
}

/* Matrices and tables are N(0, 0.02). If the family scales residual weights, those have 0.02 / sqrt(2 layers). */
static void check_start(const struct model_config *c, bool scaled) {
    struct model_params p;
    float *w = initial(c, &p, 9, false, 2);
    for (int i = 0; i < p.count; i++) {
        const struct model_tensor *t = &p.tensors[i];
        const float *x = w + t->offset;
        const enum model_role role = t->kind->role;
        if (scaled && (role == MODEL_PROJ_WEIGHT || role == MODEL_DOWN_WEIGHT))
            check_moments(t, x, 0, 0.02 / sqrt(6));
        else if (t->rows > 1)
            check_moments(t, x, 0, 0.02);
        else /* gains are one, biases zero */
            for (int64_t j = 0; j < t->count; j++) assert_true(x[j] == (strstr(t->name, ".weight") ? 1.0f : 0.0f));
        assert_int_equal(t->kind->decay, t->rows > 1); /* matrices and tables decay, gains and biases do not */
    }
    free(w);
    model_params_close(&p);
}

/* Hot: no value is neutral, and matrices preserve the size of activations. */
static void check_hot_start(const struct model_config *c) {
    struct model_params p;
    float *w = initial(c, &p, 9, true, 2);
    for (int i = 0; i < p.count; i++) {
        const struct model_tensor *t = &p.tensors[i];
        const bool table = t->kind->role == MODEL_TOKEN_TABLE || t->kind->role == MODEL_POSITION_TABLE;
        if (t->rows == 1)
            check_moments(t, w + t->offset, strstr(t->name, ".weight") ? 1.5 : 0.1, 0.3);
        else
            check_moments(t, w + t->offset, 0, table ? 0.5 : 1 / sqrt((double)t->cols));
    }
    free(w);
    model_params_close(&p);
}

static void test_moments(void **state) {
    (void)state;
    const bool scaled[RIG_FAMILIES] = {true, true, false, false, false};
    for (int f = 0; f < RIG_FAMILIES; f++) {
        const struct model_config c = rig_config_of(rig_families[f], 3, 128, 4, 1001, 64);
        check_start(&c, scaled[f]);
        check_hot_start(&c);
    }
}

/* Sizes are the same with and without the table. */
static void sizes_alone(void **state) {
    (void)state;
    static const char *const presets[] = {"tiny-gpt2", "tiny-bloom", "tiny-llama", "tiny-mistral", "gpt2-124m"};
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++) {
        json_t *json = config_json_preset(presets[i]);
        const struct model_config c = config_json_accepted(json);
        struct model_params full, size;
        assert_int_equal(model_params_open(&full, &c, NULL), BASE_OK);
        model_params_size(&size, &c);
        assert_null(size.tensors);
        assert_true(size.total == full.total && size.layer0 == full.layer0 && size.layer_size == full.layer_size);
        assert_true(size.largest == full.largest);
        assert_memory_equal(size.role_offset, full.role_offset, sizeof full.role_offset);
        model_params_close(&full);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_preset_counts),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_glued),
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_same_on_any_threads),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_slice_is_a_part),
        cmocka_unit_test(test_moments),
        cmocka_unit_test(sizes_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
