/* SPDX-License-Identifier: Apache-2.0
 * check: emulated
 *
 * The router of a mixture of experts against FP64 formulas, its choice against the order of the probabilities, and
 * moves of rows against plain sums. Any number of threads gives the same bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/support/rows.h"

/* Rows, experts and active ones; all are active in some. */
static const int64_t routes[][3] = {{0, 8, 2}, {1, 1, 1}, {24, 2, 1}, {24, 8, 2}, {18, 8, 8}, {12, 5, 4}, {40, 64, 6}};
enum { ROUTES = sizeof routes / sizeof *routes };

/* Of softmax, of sigmoids, and of sigmoids with a bias. */
enum router { SOFTMAX, SIGMOIDS, BIASED, ROUTERS };

/* Logits of every fourth row repeat, and those of every fifth are far apart: their probs are 0 and 1. */
static struct kernel_route route_new(const int64_t size[3], enum router router, enum kernel_dtype dtype) {
    struct kernel_route k = {.rows = size[0], .experts = size[1], .active = size[2], .dtype = dtype};
    const int64_t n = k.rows * k.experts, chosen = k.rows * k.active;
    float *logits = values_new(KERNEL_F32, n, 1, NORMAL, 1);
    for (int64_t i = 0; i < n; i++) {
        if (i / k.experts % 4 == 1) logits[i] = (float)(i * 7 % 3);
        if (i / k.experts % 5 == 2) logits[i] *= 1000;
    }
    k.sigmoid = router != SOFTMAX, k.scale = router == BIASED ? 2.5f : 1;
    if (router == BIASED) k.bias = values_new(dtype, k.experts, 1, NORMAL, 4);
    k.logits = logits;
    k.probs = guarded_new(KERNEL_F32, n, 2);
    k.choice = guarded_bytes((size_t)chosen * sizeof *k.choice, sizeof *k.choice);
    k.weights = guarded_new(KERNEL_F32, chosen, 3);
    return k;
}

static void probs_check(const struct variant *v, const struct kernel_route *k, int64_t r) {
    const int64_t at = r * k->experts;
    double max = k->logits[at], sum = 0;
    for (int64_t e = 1; e < k->experts; e++) max = fmax(max, k->logits[at + e]);
    for (int64_t e = 0; e < k->experts; e++) sum += exp(k->logits[at + e] - max);
    for (int64_t e = 0; e < k->experts; e++) {
        const double logit = k->logits[at + e], p = k->sigmoid ? 1 / (1 + exp(-logit)) : exp(logit - max) / sum;
        within(v, "probs", at + e, k->probs[at + e], p, 2 * U32 * p + 0x1p-149);
    }
}

/* Whether expert a goes before expert b. */
static bool before(const struct kernel_route *k, const float *probs, int64_t a, int64_t b) {
    const float of_a = probs[a] + (k->bias ? scalar_get(k->dtype, k->bias, a) : 0);
    const float of_b = probs[b] + (k->bias ? scalar_get(k->dtype, k->bias, b) : 0);
    return of_a > of_b || (of_a == of_b && a < b);
}
/* Exactly those that have less than `active` experts before them, in order. */
static void choice_check(const struct variant *v, const struct kernel_route *k, int64_t r) {
    const float *probs = k->probs + r * k->experts;
    for (int64_t e = 0; e < k->experts; e++) {
        int64_t rank = 0;
        for (int64_t other = 0; other < k->experts; other++) rank += before(k, probs, other, e);
        if (rank < k->active) within(v, "choice", r, k->choice[r * k->active + rank], (double)e, 0);
    }
}
static void weights_check(const struct variant *v, const struct kernel_route *k, int64_t r) {
    const int64_t at = r * k->active;
    double sum = k->sigmoid ? 1e-20 : 0;
    for (int64_t j = 0; j < k->active; j++) sum += k->probs[r * k->experts + k->choice[at + j]];
    for (int64_t j = 0; j < k->active; j++) {
        const double w = (double)k->scale * k->probs[r * k->experts + k->choice[at + j]] / sum;
        within(v, "weights", at + j, k->weights[at + j], w, 2 * U32 * w + 0x1p-149);
    }
}

static void router_follows_the_probabilities(void **state) {
    (void)state;
    for (int i = 0; i < ROUTES * ROUTERS * KERNEL_DTYPE_COUNT; i++) {
        struct kernel_route k = route_new(routes[i % ROUTES], (enum router)(i / ROUTES % ROUTERS),
                                          (enum kernel_dtype)(i / ROUTES / ROUTERS));
        const size_t chosen = (size_t)(k.rows * k.active) * sizeof *k.weights;
        struct same probs = {0}, choice = {0}, weights = {0};
        struct variant v;
        for (variant_first(&v); variant_valid(&v); variant_next(&v)) {
            memset(k.choice, 0xff, chosen), memset(k.weights, 0xff, chosen);
            v.ops.route_forward(&v.team, &k);
            for (int64_t r = 0; r < k.rows; r++)
                probs_check(&v, &k, r), choice_check(&v, &k, r), weights_check(&v, &k, r);
            same_bits(&probs, &v, k.probs, (size_t)(k.rows * k.experts) * sizeof *k.probs);
            same_bits(&choice, &v, k.choice, chosen);
            same_bits(&weights, &v, k.weights, chosen);
        }
        free(probs.copy), free(choice.copy), free(weights.copy);
        guarded_free();
    }
}

/* Experts in turn; the first prob of a row is not always among them. */
static void force(struct kernel_route *k) {
    k->forced = true;
    for (int64_t i = 0; i < k->rows * k->active; i++)
        k->choice[i] = (int32_t)((3 * (i / k->active) + i % k->active) % k->experts);
}

static void forced_choice_stays(void **state) {
    (void)state;
    for (int i = 0; i < ROUTES * ROUTERS; i++) {
        struct kernel_route k = route_new(routes[i % ROUTES], (enum router)(i / ROUTES), KERNEL_F32);
        const size_t chosen = (size_t)(k.rows * k.active) * sizeof *k.choice;
        struct variant v;
        for (int64_t j = 0; j < k.rows * k.experts; j++) ((float *)k.logits)[j] = (float)(j % 5) / 4; /* no prob is 0 */
        force(&k);
        struct kernel_route was = k;
        was.choice = guarded_bytes(chosen, 0);
        memcpy(was.choice, k.choice, chosen);
        for (variant_first(&v); variant_valid(&v); variant_next(&v)) {
            v.ops.route_forward(&v.team, &k);
            assert_memory_equal(k.choice, was.choice, chosen);
            for (int64_t r = 0; r < k.rows; r++) probs_check(&v, &k, r), weights_check(&v, &k, r);
        }
        guarded_free();
    }
}

/* One row each: NaN and infinities in several places, or everywhere. */
static void choose_of_bad(enum router router) {
    enum { ROWS = 9, EXPERTS = 8, ACTIVE = 3 };
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    struct kernel_route k = route_new((const int64_t[]){ROWS, EXPERTS, ACTIVE}, router, KERNEL_F32);
    float *logits = (float *)k.logits;
    for (int r = 0; r < ROWS; r++)
        for (int e = 0; e < EXPERTS; e++)
            if (r % 3 == 2 || e == (r % 3 ? 4 : 0)) logits[r * EXPERTS + e] = bad[r / 3];
    struct variant v;
    for (variant_first(&v); variant_valid(&v); variant_next(&v)) {
        memset(k.choice, 0xff, ROWS * ACTIVE * sizeof *k.choice);
        v.ops.route_forward(&v.team, &k);
        for (int r = 0; r < ROWS; r++) {
            unsigned seen = 0;
            for (int j = 0; j < ACTIVE; j++) {
                const int32_t e = k.choice[r * ACTIVE + j];
                assert_in_range(e, 0, EXPERTS - 1);
                assert_int_equal(seen >> e & 1, 0);
                seen |= 1u << e;
            }
        }
    }
    guarded_free();
}

static void not_finite_logits_still_choose_different_experts(void **state) {
    (void)state;
    for (int router = 0; router < ROUTERS; router++) choose_of_bad((enum router)router);
}

/* By the matrix of derivatives: of softmax d p_e / d logit_f = p_e ((e == f) - p_f), of sigmoids (e == f) p_f (1 -
 * p_f).
 */
static void gradient_check(const struct variant *v, const struct kernel_route *k, int64_t r) {
    const float *p = k->probs + r * k->experts;
    double dp[64], sum = k->sigmoid ? 1e-20 : 0, mean = 0;
    for (int64_t j = r * k->active; j < (r + 1) * k->active; j++)
        sum += p[k->choice[j]], mean += (double)k->weights[j] * k->dweights[j];
    for (int64_t e = 0; e < k->experts; e++) dp[e] = k->dprobs ? k->dprobs[r / k->seq * k->experts + e] : 0;
    for (int64_t j = r * k->active; j < (r + 1) * k->active; j++)
        dp[k->choice[j]] += ((double)k->scale * k->dweights[j] - mean) / sum;
    for (int64_t f = 0; f < k->experts; f++) {
        double slope = 0, size = 0;
        for (int64_t e = 0; e < k->experts; e++) {
            const double part = dp[e] * p[e] * ((e == f) - (double)p[f]) * (!k->sigmoid || e == f);
            slope += part, size += fabs(part);
        }
        within(v, "dlogits", r * k->experts + f, scalar_get(k->dtype, k->dlogits, r * k->experts + f), slope,
               100 * U64 * (size + fabs(dp[f] * p[f])) + rounding(k->dtype, slope));
    }
}

static void backward_case(const int64_t size[3], enum router router, enum kernel_dtype dtype, bool forced,
                          bool with_probs) {
    struct kernel_route k = route_new(size, router, dtype);
    const int64_t n = k.rows * k.experts;
    const size_t bytes = (size_t)n * kernel_dtype_bytes(dtype);
    struct variant v;
    struct same same = {0};
    if (forced) force(&k);
    k.seq = k.rows % 6 ? 1 : 6;
    k.dweights = values_new(KERNEL_F32, k.rows * k.active, 2, NORMAL, 2);
    if (with_probs) k.dprobs = values_new(KERNEL_F32, k.rows / k.seq * k.experts, 3, NORMAL, 3);
    k.dlogits = guarded_new(dtype, n, 1);
    for (int64_t i = 0; i < n && forced; i++) ((float *)k.logits)[i] = (float)(i % 7) / 3; /* no prob is 0 */
    for (variant_first(&v); variant_valid(&v); variant_next(&v)) {
        v.ops.route_forward(&v.team, &k);
        memset(k.dlogits, 0xff, bytes);
        v.ops.route_backward(&v.team, &k);
        for (int64_t r = 0; r < k.rows; r++) gradient_check(&v, &k, r);
        same_bits(&same, &v, k.dlogits, bytes);
    }
    free(same.copy);
    guarded_free();
}
static void router_gradients(void **state) {
    (void)state;
    for (int i = 0; i < ROUTES; i++)
        for (int kind = 0; kind < 8 * ROUTERS; kind++)
            backward_case(routes[i], (enum router)(kind / 8), kind & 1 ? KERNEL_BF16 : KERNEL_F32, kind & 2, kind & 4);
}

/* Values whose sum in another order would differ, and some that are not finite. */
static void *rows_values(enum kernel_dtype t, int64_t n, uint64_t seed) {
    static const float bad[] = {INFINITY, -INFINITY, NAN, 3e38f, 1e-45f, -0.0f};
    void *x = values_new(t, n, 1, MIXED, seed);
    for (int64_t i = 0; i < n; i += 37) scalar_put(t, x, i, bad[i / 37 % 6]);
    return x;
}
static const int32_t *rows_index(int64_t n, int64_t below) {
    int32_t *index = guarded_bytes((size_t)n * sizeof *index, sizeof *index);
    for (int64_t i = 0; i < n; i++) index[i] = (int32_t)(i * i * 7 % below);
    return index;
}

static void sum_check(const struct variant *v, const struct kernel_rows *k, const void *d) {
    for (int64_t r = 0; r < k->rows; r++)
        for (int64_t c = 0; c < k->cols; c++) {
            float sum = d ? scalar_get(k->out, d, r * k->cols + c) : 0;
            for (int64_t j = 0; j < k->count; j++)
                sum += scalar_get(k->in, k->x, k->index[r * k->count + j] * k->cols + c);
            if (k->out == KERNEL_BF16) sum = scalar_widen(scalar_narrow(sum));
            within(v, "sum", r * k->cols + c, scalar_get(k->out, k->y, r * k->cols + c), sum, 0);
        }
}

enum addend { NO_ADDEND, ADDEND, IN_PLACE };
static void sum_case(int64_t cols, int64_t count, enum kernel_dtype in, enum kernel_dtype out, enum addend addend) {
    enum { ROWS = 13, FROM = 11 };
    struct kernel_rows k = {.rows = ROWS, .cols = cols, .count = count, .in = in, .out = out};
    const size_t bytes = (size_t)(ROWS * cols) * kernel_dtype_bytes(out);
    void *d = rows_values(out, ROWS * cols, 2);
    struct variant v;
    struct same same = {0};
    k.x = rows_values(in, FROM * cols, 1);
    k.index = rows_index(ROWS * count, FROM);
    k.y = guarded_new(out, ROWS * cols, 2);
    k.d = addend == NO_ADDEND ? NULL : addend == ADDEND ? d : k.y;
    for (variant_first(&v); variant_valid(&v); variant_next(&v)) {
        if (addend == IN_PLACE)
            memcpy(k.y, d, bytes);
        else
            memset(k.y, 0xff, bytes);
        v.ops.rows_sum(&v.team, &k);
        if (v.team.threads == 1) sum_check(&v, &k, addend == NO_ADDEND ? NULL : d);
        same_bits(&same, &v, k.y, bytes);
    }
    free(same.copy);
    guarded_free();
}
static void sums_of_rows_are_in_order(void **state) {
    (void)state;
    static const int64_t widths[] = {1, 7, 16, 33, 64, 130}, counts[] = {1, 2, 5};
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
        for (int kind = 0; kind < 3 * 3 * 4; kind++)
            sum_case(widths[w], counts[kind / 12], kind & 1 ? KERNEL_BF16 : KERNEL_F32,
                     kind & 2 ? KERNEL_BF16 : KERNEL_F32, (enum addend)(kind / 4 % 3));
}

static void gathered_rows_keep_their_bits(void **state) {
    (void)state;
    enum { ROWS = 29, FROM = 11 };
    for (int64_t cols = 1; cols < 100; cols += 11)
        for (int t = 0; t < KERNEL_DTYPE_COUNT; t++) {
            const size_t row = (size_t)cols * kernel_dtype_bytes((enum kernel_dtype)t);
            struct kernel_rows k = {
                .rows = ROWS, .cols = cols, .in = (enum kernel_dtype)t, .out = (enum kernel_dtype)t};
            struct variant v;
            k.x = rows_values(k.in, FROM * cols, 1), k.index = rows_index(ROWS, FROM);
            k.y = guarded_new(k.out, ROWS * cols, 2);
            for (variant_first(&v); variant_valid(&v); variant_next(&v)) {
                memset(k.y, 0xff, ROWS * row);
                v.ops.rows_gather(&v.team, &k);
                for (size_t r = 0; r < ROWS; r++)
                    assert_memory_equal((char *)k.y + r * row, (const char *)k.x + (size_t)k.index[r] * row, row);
            }
            guarded_free();
        }
}

/* Only the calling thread polls, during the call. */
static void count_poll(void *context) {
    ++*(int *)context;
}
static void long_calls_poll(void **state) {
    (void)state;
    enum { ROWS = 64, COLS = 2048 };
    static float x[ROWS * COLS], y[ROWS * COLS], dlogits[ROWS * COLS], weights[ROWS];
    static int32_t index[ROWS];
    const struct kernel_rows k = {.rows = ROWS, .cols = COLS, .count = 1, .index = index, .x = x, .y = y};
    struct kernel_route route = {.rows = ROWS, .experts = COLS, .active = 1, .logits = x, .probs = y, .seq = 1};
    route.scale = 1, route.choice = index, route.weights = weights, route.dweights = weights, route.dlogits = dlogits;
    struct variant v;
    for (variant_first(&v); variant_valid(&v); variant_next(&v)) {
        int polls[4] = {0};
        v.team.poll = count_poll;
        v.team.poll_context = &polls[0];
        v.ops.rows_gather(&v.team, &k);
        v.team.poll_context = &polls[1];
        v.ops.rows_sum(&v.team, &k);
        v.team.poll_context = &polls[2];
        v.ops.route_forward(&v.team, &route);
        v.team.poll_context = &polls[3];
        v.ops.route_backward(&v.team, &route);
        for (int i = 0; i < 4; i++) assert_in_range(polls[i], 2, ROWS);
        v.team.poll = NULL;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(router_follows_the_probabilities),
        cmocka_unit_test(forced_choice_stays),
        cmocka_unit_test(not_finite_logits_still_choose_different_experts),
        cmocka_unit_test(router_gradients),
        cmocka_unit_test(sums_of_rows_are_in_order),
        cmocka_unit_test(gathered_rows_keep_their_bits),
        cmocka_unit_test(long_calls_poll),
    };
    return rows_run_group(tests);
}
