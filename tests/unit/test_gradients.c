/* SPDX-License-Identifier: Apache-2.0
 *
 * Every gradient of the rows against central differences of its forward, written here in FP64: L = sum of
 * weight * output, and dL/dx by (L(x + h) - L(x - h)) / 2h. The bound is the rounding of the kernel's terms plus
 * the difference's own error, estimated from a second one with 2h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/support/rows.h"

enum { MOST = 4096 };
typedef double loss_fn(const void *context);

/* The derivative of loss with respect to *x, and what it may be wrong by. */
static double difference(loss_fn *loss, const void *context, double *x, double *error) {
    const double kept = *x, h = 1e-4 * (1 + fabs(kept));
    double slope[2], level = 0;
    for (int i = 0; i < 2; i++) {
        const double up = kept + h * (i + 1), down = kept - h * (i + 1);
        *x = up;
        const double above = loss(context);
        *x = down;
        const double below = loss(context);
        slope[i] = (above - below) / (up - down);
        level = fabs(above) + fabs(below);
    }
    *x = kept;
    *error = fabs(slope[1] - slope[0]) + 100 * U64 * level / h; /* three times the truncation, and cancellation */
    return slope[0];
}

/* Each element of grad against the difference; `size` is the magnitude of the terms that made it. */
static void gradient_check(const struct variant *v, const char *what, enum kernel_dtype t, int64_t n, const void *grad,
                           loss_fn *loss, const void *context, double *x, double size) {
    for (int64_t i = 0; i < n; i++) {
        double error;
        const double slope = difference(loss, context, x + i, &error);
        within(v, what, i, scalar_get(t, grad, i), slope, error + 16 * U32 * size + rounding(t, slope));
    }
}

/* Random values of dtype t, and the same in FP64. */
static void operand(enum kernel_dtype t, void *values, double *wide, int64_t n, uint64_t seed) {
    values_fill(t, values, n, NORMAL, seed);
    for (int64_t i = 0; i < n; i++) wide[i] = scalar_get(t, values, i);
}

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
            v.ops.swiglu_backward(&v.team, (enum kernel_dtype)t, SW_ROWS, SW_COLS, x, dy, dx);
            gradient_check(&v, "swiglu'", (enum kernel_dtype)t, 2 * SW_N, dx, swiglu_loss, NULL, sw_x, 8);
        }
}

enum { RO_ROWS = 5, RO_SEQ = 3, RO_HEADS = 2, RO_HALF = 11, RO_ROW = RO_HEADS * 2 * RO_HALF, RO_N = RO_ROWS * RO_ROW };
static double ro_x[RO_N], ro_weight[RO_N];
static float ro_cos[RO_SEQ * RO_HALF], ro_sin[RO_SEQ * RO_HALF];

/* As complex numbers: (x1 + i x2) (cos + i sin). */
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

/* The gradient is the weights turned back. */
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

enum { CE_ROWS = 3, CE_VOCAB = 41, CE_CUT = 16, CE_N = CE_ROWS * CE_VOCAB };
static const int32_t ce_targets[CE_ROWS] = {0, 20, CE_VOCAB - 1};
static double ce_logits[CE_N];

static double cross_entropy_loss(const void *context) {
    const double *scale = context;
    double loss = 0;
    for (int r = 0; r < CE_ROWS; r++) {
        double sum = 0;
        for (int c = 0; c < CE_VOCAB; c++) sum += exp(ce_logits[r * CE_VOCAB + c]);
        loss += log(sum) - ce_logits[r * CE_VOCAB + ce_targets[r]];
    }
    return *scale * loss;
}

/* Two shards of the vocabulary, merged as ranks would merge them. */
static void cross_entropy_gradient(void **state) {
    (void)state;
    const double scale = 0.25;
    float logits[CE_N], max[2][CE_ROWS], sum[2][CE_ROWS], target[2][CE_ROWS], dlogits[CE_N], loss[CE_ROWS];
    struct variant v;
    for (variant_first(&v); variant_valid(&v); variant_next(&v))
        for (int t = 0; t < KERNEL_DTYPE_COUNT; t++) {
            operand(KERNEL_F32, logits, ce_logits, CE_N, 1);
            struct kernel_cross_entropy shard[2];
            for (int s = 0; s < 2; s++) {
                const int64_t first = s ? CE_CUT : 0;
                shard[s] = (struct kernel_cross_entropy){
                    .rows = CE_ROWS,
                    .vocab = s ? CE_VOCAB - CE_CUT : CE_CUT,
                    .ld = CE_VOCAB,
                    .first = first,
                    .logits = logits + first,
                    .targets = ce_targets,
                    .max = max[s],
                    .sum = sum[s],
                    .target_logit = target[s],
                    .loss = loss,
                    .scale = (float)scale,
                    .dtype = (enum kernel_dtype)t,
                    .dlogits = (char *)dlogits + (size_t)first * kernel_dtype_bytes((enum kernel_dtype)t)};
                v.ops.cross_entropy_stats(&v.team, &shard[s]);
            }
            for (int r = 0; r < CE_ROWS; r++) {
                const float high = fmaxf(max[0][r], max[1][r]);
                sum[0][r] = sum[0][r] * expf(max[0][r] - high) + sum[1][r] * expf(max[1][r] - high);
                max[0][r] = max[1][r] = high, sum[1][r] = sum[0][r], target[0][r] += target[1][r];
            }
            v.ops.cross_entropy_combine(&v.team, &shard[0]);
            double total = 0;
            for (int r = 0; r < CE_ROWS; r++) total += loss[r] * scale;
            within(&v, "loss", 0, total, cross_entropy_loss(&scale), 64 * U32 * fabs(total));
            for (int s = 0; s < 2; s++) v.ops.cross_entropy_grad(&v.team, &shard[s]);
            gradient_check(&v, "dlogits", (enum kernel_dtype)t, CE_N, dlogits, cross_entropy_loss, &scale, ce_logits,
                           2 * scale);
        }
}

enum { EM_ROWS = 11, EM_COLS = 19, EM_TABLE = 5, EM_SEQ = 4, EM_FIRST = 1, EM_POSITIONS = EM_SEQ + EM_FIRST };
static const int32_t em_tokens[EM_ROWS] = {0, 3, 3, 1, 4, 0, 3, 1, 1, 4, 3};
static double em_table[EM_TABLE * EM_COLS], em_positions[EM_POSITIONS * EM_COLS], em_weight[EM_ROWS * EM_COLS];

static double embedding_loss(const void *context) {
    (void)context;
    double loss = 0;
    for (int r = 0; r < EM_ROWS; r++)
        for (int c = 0; c < EM_COLS; c++)
            loss += em_weight[r * EM_COLS + c] *
                    (em_table[em_tokens[r] * EM_COLS + c] + em_positions[(EM_FIRST + r % EM_SEQ) * EM_COLS + c]);
    return loss;
}

/* y = x + bias for rows of x: dbias is the column sum of the weights */
static double bias_loss(const void *context) {
    const double *bias = context;
    double loss = 0;
    for (int r = 0; r < EM_ROWS; r++)
        for (int c = 0; c < EM_COLS; c++) loss += em_weight[r * EM_COLS + c] * bias[c];
    return loss;
}

static void embedding_and_bias_gradients(void **state) {
    (void)state;
    float table[EM_TABLE * EM_COLS], positions[EM_POSITIONS * EM_COLS], dx[EM_ROWS * EM_COLS];
    float dtoken[EM_TABLE * EM_COLS], dposition[EM_POSITIONS * EM_COLS], dbias[EM_COLS];
    double bias[EM_COLS] = {0};
    struct variant v;
    for (variant_first(&v); variant_valid(&v); variant_next(&v))
        for (int t = 0; t < KERNEL_DTYPE_COUNT; t++) {
            operand((enum kernel_dtype)t, table, em_table, EM_TABLE * EM_COLS, 1);
            operand((enum kernel_dtype)t, positions, em_positions, EM_POSITIONS * EM_COLS, 2);
            operand((enum kernel_dtype)t, dx, em_weight, EM_ROWS * EM_COLS, 3);
            memset(dtoken, 0, sizeof dtoken), memset(dposition, 0, sizeof dposition), memset(dbias, 0, sizeof dbias);
            const struct kernel_embedding e = {.rows = EM_ROWS,
                                               .cols = EM_COLS,
                                               .seq = EM_SEQ,
                                               .position0 = EM_FIRST,
                                               .dtype = (enum kernel_dtype)t,
                                               .tokens = em_tokens,
                                               .dx = dx,
                                               .dtoken = dtoken,
                                               .dposition = dposition};
            v.ops.embedding_backward(&v.team, &e);
            gradient_check(&v, "dtoken", KERNEL_F32, EM_TABLE * EM_COLS, dtoken, embedding_loss, NULL, em_table, 8);
            gradient_check(&v, "dposition", KERNEL_F32, EM_POSITIONS * EM_COLS, dposition, embedding_loss, NULL,
                           em_positions, 8);
            v.ops.column_sum(&v.team, e.dtype, EM_ROWS, EM_COLS, dx, dbias);
            gradient_check(&v, "dbias", KERNEL_F32, EM_COLS, dbias, bias_loss, bias, bias, 8);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(norm_gradients),         cmocka_unit_test(gelu_gradient),
        cmocka_unit_test(swiglu_gradient),        cmocka_unit_test(rotary_gradient),
        cmocka_unit_test(cross_entropy_gradient), cmocka_unit_test(embedding_and_bias_gradients),
    };
    return cmocka_run_group_tests(tests, variants_report, NULL);
}
