/* SPDX-License-Identifier: Apache-2.0
 *
 * The parameter table and its initial values: the published counts of every preset, places that neither meet nor
 * leave their layer, and values that depend on seed and element alone. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/record.h"
#include "model/params.h"
#include "unit/support/rig.h"

static struct model_config preset(const char *name) {
    char path[128];
    struct base_error e = {0};
    struct model_config c = {0};
    json_t *json;
    snprintf(path, sizeof path, "harness/catalog/models/%s.json", name);
    if (base_json_load(path, &json, &e) || model_config_parse(&c, name, json, path, &e)) fail_msg("%s", e.text);
    json_decref(json);
    return c;
}

/* The published counts (Radford et al. 2019 print rounded ones; these are of the released weights). */
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
        /* a slice loses whole layers: matrices 12 w^2, biases 9 w, norms 4 w */
        assert_int_equal(model_config_slice(&c, 1, NULL), BASE_OK);
        assert_int_equal(c.parameters, presets[i].count - (presets[i].layers - 1) * (12 * w * w + 13 * w));
    }
}

/* In order, apart, 16 elements aligned, each layer in its stride; offsets by role lead to the same places. */
static void check_table(const struct model_config *c) {
    struct model_params p;
    int64_t end = 0, count = 0;
    assert_int_equal(model_params_open(&p, c, NULL), BASE_OK);
    for (int i = 0; i < p.count; i++) {
        const struct model_tensor *t = &p.tensors[i];
        assert_true(t->offset >= end && t->offset < end + 16);
        assert_int_equal(t->offset % 16, 0);
        assert_int_equal(t->count, t->rows * t->cols);
        assert_int_equal(model_params_offset(&p, t->kind->role, t->layer < 0 ? 0 : t->layer), t->offset);
        end = t->offset + t->count;
        count += t->count;
        if (t->layer < 0) {
            assert_true(end <= p.layer0 || t->offset >= p.layer0 + c->layers * p.layer_size);
        } else {
            assert_true(t->offset >= p.layer0 + t->layer * p.layer_size);
            assert_true(end <= p.layer0 + (t->layer + 1) * p.layer_size);
        }
    }
    assert_int_equal(count, c->parameters);
    assert_int_equal(model_params_count(c), c->parameters);
    assert_true(p.total >= end && p.total < end + 16);
    assert_string_equal(p.tensors[p.count - 1].name, "ln_f.bias");
    model_params_close(&p);
}
static void test_table(void **state) {
    (void)state;
    struct model_config odd = rig_config(3, 30, 3, 53, 7), real = preset("gpt2-1.5b");
    check_table(&odd);
    check_table(&real);
}

static float *initial(const struct model_config *c, struct model_params *p, uint64_t seed, bool hot, int threads) {
    assert_int_equal(model_params_open(p, c, NULL), BASE_OK);
    float *w = calloc((size_t)p->total, sizeof *w);
    assert_non_null(w);
    model_params_init(p, c, seed, hot, threads, w);
    return w;
}

static void test_same_on_any_threads(void **state) {
    (void)state;
    const struct model_config c = rig_config(2, 96, 4, 1001, 64);
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

/* A slice starts as the same layers of the whole model do, residual scaling included. */
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

/* As GPT-2's: matrices and tables N(0, 0.02), those that add to the residual stream 0.02 / sqrt(2 layers). */
static void test_moments(void **state) {
    (void)state;
    const struct model_config c = rig_config(3, 128, 4, 1001, 64);
    struct model_params p;
    float *w = initial(&c, &p, 9, false, 2);
    for (int i = 0; i < p.count; i++) {
        const struct model_tensor *t = &p.tensors[i];
        const float *x = w + t->offset;
        const enum model_role role = t->kind->role;
        if (role == MODEL_PROJ_WEIGHT || role == MODEL_DOWN_WEIGHT)
            check_moments(t, x, 0, 0.02 / sqrt(6));
        else if (t->rows > 1)
            check_moments(t, x, 0, 0.02);
        else /* gains are one, biases zero */
            for (int64_t j = 0; j < t->count; j++) assert_true(x[j] == (strstr(t->name, ".weight") ? 1.0f : 0.0f));
        assert_int_equal(t->kind->decay, t->rows > 1); /* matrices and tables decay, gains and biases do not */
    }
    free(w);
    model_params_close(&p);
    w = initial(&c, &p, 9, true, 2);
    for (int i = 0; i < p.count; i++) { /* hot: nothing is at its neutral value */
        const struct model_tensor *t = &p.tensors[i];
        if (t->rows == 1) check_moments(t, w + t->offset, strstr(t->name, ".weight") ? 1.5 : 0.1, 0.3);
    }
    free(w);
    model_params_close(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_preset_counts),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_same_on_any_threads),
        cmocka_unit_test(test_slice_is_a_part),
        cmocka_unit_test(test_moments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
