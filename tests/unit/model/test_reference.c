/* SPDX-License-Identifier: Apache-2.0
 *
 * The FP64 reference's gradient against central differences of its own loss, at sampled elements of every tensor of a
 * small hot model of every family. Also its loss where that is known, and which tokens it depends on. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "model/reference.h"
#include "unit/support/rig.h"

enum { VOCAB = 53, SEQ = 9, BATCH = 2, TOKENS = SEQ * BATCH, SAMPLES = 6, SEED = 11 };

struct subject {
    struct model_config config;
    struct model_params params;
    struct model_reference reference;
    double *weights, *grads;
    int32_t inputs[TOKENS], targets[TOKENS];
};

static void read_weights(void *context, int64_t offset, int64_t count, double *out) {
    const struct subject *s = context;
    memcpy(out, s->weights + offset, (size_t)count * sizeof *out);
}

/* Two layers, four heads of eight, and a window of four positions if the family has one. */
static struct model_config config_of(const char *family) {
    return rig_config_of(family, 2, 32, 4, VOCAB, SEQ + 2);
}

static void subject_open(struct subject *s, struct model_config config) {
    struct base_error e = {0};
    s->config = config;
    s->config.parameters = model_params_count(&config);
    if (model_params_open(&s->params, &s->config, &e)) fail_msg("%s", e.text);
    const size_t n = (size_t)s->params.total;
    float *start = calloc(n, sizeof *start);
    s->weights = calloc(n, sizeof *s->weights);
    s->grads = calloc(n, sizeof *s->grads);
    assert_true(start && s->weights && s->grads);
    model_params_init(&s->params, &(struct model_part){.whole = &s->config, .ranks = 1}, SEED, true, 1, 0,
                      s->params.total, start);
    for (size_t i = 0; i < n; i++) s->weights[i] = (double)start[i];
    free(start);
    for (int i = 0; i < TOKENS; i++) {
        s->inputs[i] = (int32_t)(base_random_u64(SEED, BASE_STREAM_TEST, (uint64_t)i) % VOCAB);
        s->targets[i] = (int32_t)(base_random_u64(SEED, BASE_STREAM_TEST + 1, (uint64_t)i) % VOCAB);
    }
    s->reference = (struct model_reference){.params = &s->params,
                                            .shape = {.config = &s->config, .batch = BATCH, .seq = SEQ},
                                            .read = read_weights,
                                            .context = s};
}
static void subject_close(struct subject *s) {
    free(s->weights), free(s->grads);
    model_params_close(&s->params);
}

/* Returns the sum of losses, and with grads its gradient. */
static double run(struct subject *s, double *grads) {
    double loss[TOKENS] = {0}, sum = 0, balance = 0;
    struct base_error e = {0};
    s->reference.balance = &balance;
    if (model_reference_step(&s->reference, s->inputs, s->targets, 1, loss, grads, &e)) fail_msg("%s", e.text);
    for (int i = 0; i < TOKENS; i++) sum += loss[i];
    s->reference.balance = NULL;
    return sum + balance * TOKENS; /* a mean, of which experts' routers have a gradient too */
}

/* Extrapolates differences at h and 2h. The remaining error is of order h^4. */
static double slope(struct subject *s, int64_t at) {
    const double h = 1e-3, w = s->weights[at];
    double difference[2];
    for (int i = 0; i < 2; i++) {
        s->weights[at] = w + h * (i + 1);
        difference[i] = run(s, NULL);
        s->weights[at] = w - h * (i + 1);
        difference[i] = (difference[i] - run(s, NULL)) / (2 * h * (i + 1));
    }
    s->weights[at] = w;
    return (4 * difference[0] - difference[1]) / 3;
}

static void check_gradient(const char *what, struct model_config config) {
    struct subject s;
    double worst = 0;
    subject_open(&s, config);
    run(&s, s.grads);
    for (int i = 0; i < s.params.count; i++) {
        const struct model_tensor *t = &s.params.tensors[i];
        double error = 0, size = 0;
        for (int k = 0; k < SAMPLES; k++) {
            int64_t at =
                (int64_t)(base_random_u64(SEED, BASE_STREAM_TEST + 2 + (uint64_t)i, (uint64_t)k) % (uint64_t)t->count);
            if (t->kind->role == MODEL_TOKEN_TABLE && k % 2) at = s.inputs[k] * t->cols + at % t->cols;
            error = fmax(error, fabs(slope(&s, t->offset + at) - s.grads[t->offset + at]));
            size = fmax(size, fabs(s.grads[t->offset + at]));
            if (model_tensor_counts_rows(t)) error = 0;
        }
        worst = fmax(worst, error / (size + 1e-3));
        if (!(error < 1e-6 * (size + 1e-3))) fail_msg("%s: %s: off by %.3g of %.3g", what, t->name, error, size);
    }
    printf("%s: worst difference %.2g of the tensor's largest sampled gradient\n", what, worst);
    subject_close(&s);
}
static void test_gradient(void **state) {
    (void)state;
    for (int f = 0; f < RIG_FAMILIES; f++) check_gradient(rig_families[f], config_of(rig_families[f]));
}

/* Only gains and biases have squares. For one token it is the gradient's square, for more at least what Cauchy-Schwarz
 * requires. */
static void test_squares(void **state) {
    (void)state;
    for (int turn = 0; turn < 2 * RIG_FAMILIES; turn++) {
        struct subject s;
        subject_open(&s, config_of(rig_families[turn / 2]));
        double *squares = calloc((size_t)s.params.total, sizeof *squares);
        const int64_t tokens = turn % 2 ? TOKENS : 1;
        assert_non_null(squares);
        if (tokens == 1) s.reference.shape.batch = s.reference.shape.seq = 1;
        s.reference.squares = squares;
        run(&s, s.grads);
        for (int i = 0; i < s.params.count; i++) {
            const struct model_tensor *t = &s.params.tensors[i];
            const bool vector =
                !model_tensor_counts_rows(t) && (t->kind->init == MODEL_INIT_ONE || t->kind->init == MODEL_INIT_ZERO);
            for (int64_t j = t->offset; j < t->offset + t->count; j++) {
                const double square = s.grads[j] * s.grads[j];
                if (!vector       ? squares[j] != 0
                    : tokens == 1 ? squares[j] != square
                                  : square > 1.0001 * TOKENS * squares[j])
                    fail_msg("%s: %s: %g of %g", rig_families[turn / 2], t->name, squares[j], square);
            }
        }
        free(squares);
        subject_close(&s);
    }
}

/* Variations within a family. */
static void test_gradient_of_variations(void **state) {
    (void)state;
    struct model_config c = config_of("gpt2");
    c.kv_heads = 2;
    check_gradient("gpt2 with shared key heads", c);
    check_gradient("bloom with six heads", rig_config_of("bloom", 2, 48, 6, VOCAB, SEQ + 2));
    c = config_of("llama");
    c.tied = true;
    check_gradient("llama with its head tied", c);
    c = config_of("llama");
    c.kv_heads = 1;
    c.head_dim = 6; /* heads of another size than width / heads, an MLP that is not a multiple */
    c.ffn = 41;
    check_gradient("llama with one key head, narrow", c);
    c = config_of("llama");
    c.rotary = (struct model_rotary){.theta = 100, .factor = 8, .low = 1, .high = 4, .original = 32};
    check_gradient("llama with scaled positions", c);
    c.rotary = (struct model_rotary){.theta = 100, .factor = 4};
    check_gradient("llama with positions scaled linearly", c);
    c = config_of("mistral");
    c.window = 1; /* each query sees its own key */
    check_gradient("mistral with a window of one", c);
}

/* A head of zeros gives zero logits: every loss is ln(vocab), and only the head has a gradient. */
static void check_zero_head(struct model_config config) {
    struct subject s;
    config.balance = 0;
    subject_open(&s, config);
    const enum model_role role = config.tied ? MODEL_TOKEN_TABLE : MODEL_HEAD_WEIGHT;
    const int64_t at = model_params_offset(&s.params, role, 0);
    memset(s.weights + at, 0, (size_t)(VOCAB * config.width) * sizeof *s.weights);
    assert_true(fabs(run(&s, s.grads) - TOKENS * log(VOCAB)) < 1e-12 * TOKENS);
    bool learns = false;
    for (int i = 0; i < s.params.count; i++)
        for (int64_t j = 0; j < s.params.tensors[i].count; j++) {
            const double g = s.grads[s.params.tensors[i].offset + j];
            if (s.params.tensors[i].kind->role == role)
                learns = learns || g != 0;
            else
                assert_true(g == 0 || model_tensor_counts_rows(&s.params.tensors[i]));
        }
    assert_true(learns);
    subject_close(&s);
}
static void test_zero_head(void **state) {
    (void)state;
    for (int f = 0; f < RIG_FAMILIES; f++) check_zero_head(config_of(rig_families[f]));
}

/* Gradients are added and scaled, and gaps between tensors are left alone. */
static void test_added_and_scaled(void **state) {
    (void)state;
    struct subject s;
    double loss[TOKENS];
    subject_open(&s, config_of("llama"));
    run(&s, s.grads);
    double *twice = calloc((size_t)s.params.total, sizeof *twice);
    for (int i = 0; i < 2; i++)
        assert_int_equal(model_reference_step(&s.reference, s.inputs, s.targets, 0.25, loss, twice, NULL), BASE_OK);
    int64_t end = 0;
    for (int i = 0; i < s.params.count; i++) {
        const struct model_tensor *t = &s.params.tensors[i];
        for (; end < t->offset; end++) assert_true(twice[end] == 0);
        end = t->offset + t->count;
        for (int64_t j = t->offset; j < end; j++)
            assert_true(fabs(twice[j] - s.grads[j] / 2) <= 1e-12 * (1 + fabs(s.grads[j])));
    }
    free(twice);
    subject_close(&s);
}

/* Causal: a later token changes no earlier loss. With a window of w, two layers reach 2 (w - 1) positions. */
static void check_reach(struct model_config config, int changed) {
    struct subject s;
    double before[TOKENS], after[TOKENS];
    const int reach = config.window ? 2 * ((int)config.window - 1) : SEQ;
    subject_open(&s, config);
    assert_int_equal(model_reference_step(&s.reference, s.inputs, s.targets, 1, before, NULL, NULL), BASE_OK);
    s.inputs[changed] = (s.inputs[changed] + 1) % VOCAB;
    assert_int_equal(model_reference_step(&s.reference, s.inputs, s.targets, 1, after, NULL, NULL), BASE_OK);
    for (int i = 0; i < TOKENS; i++) {
        const bool reached = i >= changed && i < SEQ && i <= changed + reach;
        /* an expert's matmul with other rows beside may round otherwise */
        if ((fabs(before[i] - after[i]) > (config.experts ? 1e-12 : 0)) != reached)
            fail_msg("%s: token %d, changed, and the loss of token %d", config.family->type, changed, i);
    }
    subject_close(&s);
}
static void test_reach(void **state) {
    (void)state;
    for (int f = 0; f < RIG_FAMILIES; f++)
        for (int changed = 0; changed < SEQ; changed++) check_reach(config_of(rig_families[f]), changed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradient),
        cmocka_unit_test(test_squares),
        cmocka_unit_test(test_gradient_of_variations),
        cmocka_unit_test(test_zero_head),
        cmocka_unit_test(test_added_and_scaled),
        cmocka_unit_test(test_reach),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
