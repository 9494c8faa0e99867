/* SPDX-License-Identifier: Apache-2.0
 * check: emulated
 *
 * The gradients of norms, activation functions and rotary positions, against central differences of their forwards. */
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
static double sw_x[2 * SW_N], sw_weight[SW_N];

static double swiglu_loss(const void *context) {
    (void)context;
    double loss = 0;
    for (int r = 0; r < SW_ROWS; r++)
        for (int c = 0; c < SW_COLS; c++) {
            const double gate = sw_x[2 * r * SW_COLS + c], value = sw_x[(2 * r + 1) * SW_COLS + c];
            loss += sw_weight[r * SW_COLS + c] * gate / (1 + exp(-gate)) * value;
        }
    return loss;
}

static void swiglu_gradient(void **state) {
    (void)state;
    float x[2 * SW_N], dy[SW_N], dx[2 * SW_N];
    struct variant v;
    for (variant_first(&v); variant_valid(&v); variant_next(&v))
        for (int t = 0; t < KERNEL_DTYPE_COUNT; t++) {
            operand((enum kernel_dtype)t, x, sw_x, 2 * SW_N, 1);
            operand((enum kernel_dtype)t, dy, sw_weight, SW_N, 2);
            memset(dx, 0xff, sizeof dx);
            v.ops.swiglu_backward(
                &v.team,
                &(struct kernel_swiglu){
                    .rows = SW_ROWS, .cols = SW_COLS, .dtype = (enum kernel_dtype)t, .x = x, .dy = dy, .dx = dx});
            gradient_check(&v, "swiglu'", (enum kernel_dtype)t, 2 * SW_N, dx, swiglu_loss, NULL, sw_x, 8);
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
        cmocka_unit_test(norm_gradients),
        cmocka_unit_test(gelu_gradient),
        cmocka_unit_test(swiglu_gradient),
        cmocka_unit_test(rotary_gradient),
    };
    lacking_report();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
