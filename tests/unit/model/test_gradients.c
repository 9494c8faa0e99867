/* SPDX-License-Identifier: Apache-2.0
 * check: emulated
 *
 * The gradients of norms, activation functions, routers and rotary positions, against central differences of their
 * forwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/support/differences.h"

enum { MOST = 4096 };

static struct {
    int64_t rows, cols;
    bool rms;
    double x[MOST], gain[MOST], bias[MOST], weight[MOST];
} norm;

static double norm_loss(const void *context) {
    (void)context;
    const double n = (double)norm.cols;
    double loss = 0;
    for (int64_t r = 0; r < norm.rows; r++) {
        const double *x = norm.x + r * norm.cols, *weight = norm.weight + r * norm.cols;
        double mean = 0, var = 0;
        for (int64_t c = 0; c < norm.cols && !norm.rms; c++) mean += x[c] / n;
        for (int64_t c = 0; c < norm.cols; c++) var += (x[c] - mean) * (x[c] - mean) / n;
        for (int64_t c = 0; c < norm.cols; c++)
            loss += weight[c] * ((x[c] - mean) / sqrt(var + 1e-5) * norm.gain[c] + norm.bias[c]);
    }
    return loss;
}

/* RMSNorm with neither mean nor bias, or LayerNorm with both */
static void norm_gradients_of(bool rms) {
    enum { ROWS = 3, COLS = 37, N = ROWS * COLS };
    float x[N], gain[COLS], bias[COLS], dy[N], y[N], dx[N], mean[ROWS], rstd[ROWS], dgain[COLS], dbias[COLS];
    norm.rows = ROWS, norm.cols = COLS, norm.rms = rms;
    struct variant v;
    for (variant_first(&v); variant_valid(&v); variant_next(&v))
        for (int t = 0; t < KERNEL_DTYPE_COUNT; t++) {
            operand((enum kernel_dtype)t, x, norm.x, N, 1);
            operand((enum kernel_dtype)t, gain, norm.gain, COLS, 2);
            operand((enum kernel_dtype)t, bias, norm.bias, COLS, 3);
            operand((enum kernel_dtype)t, dy, norm.weight, N, 4);
            memset(dgain, 0, sizeof dgain), memset(dbias, 0, sizeof dbias);
            if (rms) memset(norm.bias, 0, sizeof norm.bias);
            const struct kernel_norm l = {.rows = ROWS,
                                          .cols = COLS,
                                          .dtype = (enum kernel_dtype)t,
                                          .eps = 1e-5f,
                                          .x = x,
                                          .gain = gain,
                                          .bias = rms ? NULL : bias,
                                          .y = y,
                                          .mean = rms ? NULL : mean,
                                          .rstd = rstd,
                                          .dy = dy,
                                          .dx = dx,
                                          .dgain = dgain,
                                          .dbias = rms ? NULL : dbias};
            v.ops.norm_forward(&v.team, &l);
            v.ops.norm_grad_input(&v.team, &l);
            v.ops.norm_grad_params(&v.team, &l);
            gradient_check(&v, "dx", l.dtype, N, dx, norm_loss, NULL, norm.x, 10);
            gradient_check(&v, "dgain", KERNEL_F32, COLS, dgain, norm_loss, NULL, norm.gain, 3);
            if (!rms) gradient_check(&v, "dbias", KERNEL_F32, COLS, dbias, norm_loss, NULL, norm.bias, 3);
        }
}

static void norm_gradients(void **state) {
    (void)state;
    norm_gradients_of(false);
    norm_gradients_of(true);
}

struct point {
    double x, weight;
};
static double gelu_loss(const void *context) {
    const struct point *p = context;
    return p->weight * 0.5 * p->x * (1 + tanh(sqrt(2 / M_PI) * (p->x + 0.044715 * p->x * p->x * p->x)));
}

static void gelu_gradient(void **state) {
    (void)state;
    enum { N = 1001 };
    float x[N], dy[N], dx[N];
    double wide[N], weight[N];
    struct variant v;
    for (variant_first(&v); variant_valid(&v); variant_next(&v))
        for (int t = 0; t < KERNEL_DTYPE_COUNT; t++) {
            operand((enum kernel_dtype)t, dy, weight, N, 1);
            for (int i = 0; i < N; i++) scalar_put((enum kernel_dtype)t, x, i, (float)(i - N / 2) / 50);
            v.ops.gelu_backward(&v.team, (enum kernel_dtype)t, N, x, dy, dx);
            for (int i = 0; i < N; i++) wide[i] = scalar_get((enum kernel_dtype)t, x, i);
            for (int i = 0; i < N; i++) {
                struct point p = {wide[i], weight[i]};
                double error;
                const double slope = difference(gelu_loss, &p, &p.x, &error);
                within(&v, "gelu'", i, scalar_get((enum kernel_dtype)t, dx, i), slope,
                       error + 64 * U32 * fabs(weight[i]) + rounding((enum kernel_dtype)t, slope));
            }
        }
}

enum { SW_ROWS = 3, SW_COLS = 37, SW_N = SW_ROWS * SW_COLS };
static double sw_x[2 * SW_N], sw_weight[SW_N], sw_of_row[SW_ROWS];

static double swiglu_loss(const void *context) {
    (void)context;
    double loss = 0;
    for (int r = 0; r < SW_ROWS; r++)
        for (int c = 0; c < SW_COLS; c++) {
            const double gate = sw_x[2 * r * SW_COLS + c], value = sw_x[(2 * r + 1) * SW_COLS + c];
            loss += sw_weight[r * SW_COLS + c] * gate / (1 + exp(-gate)) * value * sw_of_row[r];
        }
    return loss;
}

static void swiglu_gradient(void **state) {
    (void)state;
    float x[2 * SW_N], dy[SW_N], dx[2 * SW_N], weights[SW_ROWS], dweights[SW_ROWS];
    struct variant v;
    for (variant_first(&v); variant_valid(&v); variant_next(&v))
        for (int t = 0; t < KERNEL_DTYPE_COUNT; t++) {
            struct kernel_swiglu s = {.rows = SW_ROWS, .cols = SW_COLS, .dtype = (enum kernel_dtype)t};
            operand(s.dtype, x, sw_x, 2 * SW_N, 1);
            operand(s.dtype, dy, sw_weight, SW_N, 2);
            memset(dx, 0xff, sizeof dx);
            s.x = x, s.dy = dy, s.dx = dx;
            for (int r = 0; r < SW_ROWS; r++) sw_of_row[r] = 1;
            v.ops.swiglu_backward(&v.team, &s);
            gradient_check(&v, "swiglu'", s.dtype, 2 * SW_N, dx, swiglu_loss, NULL, sw_x, 8);
            operand(KERNEL_F32, weights, sw_of_row, SW_ROWS, 3);
            s.weights = weights, s.dweights = dweights;
            v.ops.swiglu_backward(&v.team, &s);
            gradient_check(&v, "swiglu' with weights", s.dtype, 2 * SW_N, dx, swiglu_loss, NULL, sw_x, 9);
            gradient_check(&v, "dweights", KERNEL_F32, SW_ROWS, dweights, swiglu_loss, NULL, sw_of_row, 12);
        }
}

enum { RT_SEQ = 3, RT_ROWS = 2 * RT_SEQ, RT_EXPERTS = 7, RT_ACTIVE = 3, RT_N = RT_ROWS * RT_EXPERTS };
static double rt_logits[RT_N], rt_of_weights[RT_ROWS * RT_ACTIVE], rt_of_probs[2 * RT_EXPERTS];
static int32_t rt_choice[RT_ROWS * RT_ACTIVE];

/* What weights times the experts' results, and a loss that balances them, make of the logits. context: whether scores
 * are sigmoids. */
static double route_loss(const void *context) {
    const bool sigmoid = *(const bool *)context;
    double loss = 0;
    for (int r = 0; r < RT_ROWS; r++) {
        double p[RT_EXPERTS], all = 0, chosen = 0;
        for (int e = 0; e < RT_EXPERTS; e++) all += p[e] = exp(rt_logits[r * RT_EXPERTS + e]);
        for (int e = 0; e < RT_EXPERTS && sigmoid; e++) p[e] *= all / (1 + p[e]); /* over all: the sigmoid */
        for (int j = r * RT_ACTIVE; j < (r + 1) * RT_ACTIVE; j++) chosen += p[rt_choice[j]];
        for (int j = r * RT_ACTIVE; j < (r + 1) * RT_ACTIVE; j++)
            loss += (sigmoid ? 2.5 : 1) * rt_of_weights[j] * p[rt_choice[j]] / chosen;
        for (int e = 0; e < RT_EXPERTS; e++) loss += rt_of_probs[r / RT_SEQ * RT_EXPERTS + e] * p[e] / all;
    }
    return loss;
}

static void route_gradient(void **state) {
    (void)state;
    float logits[RT_N], probs[RT_N], weights[RT_ROWS * RT_ACTIVE], dweights[RT_ROWS * RT_ACTIVE],
        dprobs[2 * RT_EXPERTS], dlogits[RT_N];
    struct kernel_route k = {.rows = RT_ROWS, .experts = RT_EXPERTS, .active = RT_ACTIVE, .seq = RT_SEQ};
    operand(KERNEL_F32, logits, rt_logits, RT_N, 1);
    operand(KERNEL_F32, dweights, rt_of_weights, RT_ROWS * RT_ACTIVE, 2);
    operand(KERNEL_F32, dprobs, rt_of_probs, 2 * RT_EXPERTS, 3);
    k.logits = logits, k.probs = probs, k.choice = rt_choice, k.weights = weights, k.dweights = dweights;
    k.dprobs = dprobs, k.dlogits = dlogits;
    struct variant v;
    for (variant_first(&v); variant_valid(&v); variant_next(&v))
        for (int t = 0; t < 2 * KERNEL_DTYPE_COUNT; t++) {
            k.dtype = (enum kernel_dtype)(t / 2), k.sigmoid = t % 2, k.scale = k.sigmoid ? 2.5f : 1;
            v.ops.route_forward(&v.team, &k);
            v.ops.route_backward(&v.team, &k);
            gradient_check(&v, "route'", k.dtype, RT_N, dlogits, route_loss, &k.sigmoid, rt_logits, 8);
        }
}

enum { RO_ROWS = 5, RO_SEQ = 3, RO_HEADS = 2, RO_HALF = 11, RO_ROW = RO_HEADS * 2 * RO_HALF, RO_N = RO_ROWS * RO_ROW };
static double ro_x[RO_N], ro_weight[RO_N];
static float ro_cos[RO_SEQ * RO_HALF], ro_sin[RO_SEQ * RO_HALF];

/* In complex numbers: (x1 + i x2) (cos + i sin). */
static double rotary_loss(const void *context) {
    (void)context;
    double loss = 0;
    for (int r = 0; r < RO_ROWS; r++)
        for (int i = 0; i < RO_HEADS * RO_HALF; i++) {
            const int angle = r % RO_SEQ * RO_HALF + i % RO_HALF;
            const int re = r * RO_ROW + i / RO_HALF * 2 * RO_HALF + i % RO_HALF, im = re + RO_HALF;
            loss += ro_weight[re] * (ro_x[re] * ro_cos[angle] - ro_x[im] * ro_sin[angle]);
            loss += ro_weight[im] * (ro_x[re] * ro_sin[angle] + ro_x[im] * ro_cos[angle]);
        }
    return loss;
}

/* The gradient is the weights rotated back. */
static void rotary_gradient(void **state) {
    (void)state;
    float x[RO_N];
    for (int i = 0; i < RO_SEQ * RO_HALF; i++) ro_cos[i] = (float)cos(i), ro_sin[i] = (float)sin(i);
    struct variant v;
    for (variant_first(&v); variant_valid(&v); variant_next(&v))
        for (int t = 0; t < KERNEL_DTYPE_COUNT; t++) {
            operand((enum kernel_dtype)t, x, ro_x, RO_N, 1);
            operand((enum kernel_dtype)t, x, ro_weight, RO_N, 2);
            const struct kernel_rotary k = {.rows = RO_ROWS,
                                            .seq = RO_SEQ,
                                            .heads = RO_HEADS,
                                            .head_dim = 2 * RO_HALF,
                                            .row = RO_ROW,
                                            .head = 2 * RO_HALF,
                                            .dtype = (enum kernel_dtype)t,
                                            .inverse = true,
                                            .cos = ro_cos,
                                            .sin = ro_sin,
                                            .x = x};
            v.ops.rotary(&v.team, &k);
            gradient_check(&v, "rotary'", k.dtype, RO_N, x, rotary_loss, NULL, ro_x, 4);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(norm_gradients), cmocka_unit_test(gelu_gradient),   cmocka_unit_test(swiglu_gradient),
        cmocka_unit_test(route_gradient), cmocka_unit_test(rotary_gradient),
    };
    lacking_report();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
