/* SPDX-License-Identifier: Apache-2.0
 *
 * Plain C of the operations on rows and elements: LayerNorm and RMSNorm, GELU, SwiGLU, rotary, column sums,
 * conversions. It reads like the formulas. Sums within a row are FP64, for checks of other variants. */
#include <float.h>
#include <math.h>

#include "declare.h"
#include "gelu.inc.h"
#include "scalar.h"
#include "split.h"

void kernel_norm_forward_ref(const struct kernel_team *team, const struct kernel_norm *l) {
    const enum kernel_dtype t = l->dtype;
#pragma omp parallel for num_threads(team->threads) schedule(static)
    for (int64_t r = 0; r < l->rows; r++) {
        const int64_t at = r * l->cols;
        double sum = 0, squares = 0;
        for (int64_t c = 0; c < l->cols; c++) sum += scalar_get(t, l->x, at + c);
        const double mean = l->mean ? sum / (double)l->cols : 0;
        for (int64_t c = 0; c < l->cols; c++) {
            const double d = scalar_get(t, l->x, at + c) - mean;
            squares += d * d;
        }
        const double rstd = 1 / sqrt(squares / (double)l->cols + l->eps);
        for (int64_t c = 0; c < l->cols; c++) {
            const double normal = (scalar_get(t, l->x, at + c) - mean) * rstd;
            const double bias = l->bias ? scalar_get(t, l->bias, c) : 0;
            scalar_put(t, l->y, at + c, (float)(normal * scalar_get(t, l->gain, c) + bias));
        }
        if (l->mean) l->mean[r] = (float)mean;
        l->rstd[r] = (float)rstd;
        kernel_poll_row(team, r, l->cols);
    }
}

/* With g = dy * gain and h = (x - mean) * rstd: dx = rstd * (g - mean(g) - h * mean(g h)). RMSNorm subtracts no
 * mean, so it has no mean(g). */
void kernel_norm_grad_input_ref(const struct kernel_team *team, const struct kernel_norm *l) {
    const enum kernel_dtype t = l->dtype;
#pragma omp parallel for num_threads(team->threads) schedule(static)
    for (int64_t r = 0; r < l->rows; r++) {
        const int64_t at = r * l->cols;
        const double mean = l->mean ? l->mean[r] : 0, rstd = l->rstd[r];
        double g_sum = 0, gh_sum = 0;
        for (int64_t c = 0; c < l->cols; c++) {
            const double g = (double)scalar_get(t, l->dy, at + c) * scalar_get(t, l->gain, c);
            g_sum += g;
            gh_sum += g * ((scalar_get(t, l->x, at + c) - mean) * rstd);
        }
        const double g_mean = l->mean ? g_sum / (double)l->cols : 0, gh_mean = gh_sum / (double)l->cols;
        for (int64_t c = 0; c < l->cols; c++) {
            const double g = (double)scalar_get(t, l->dy, at + c) * scalar_get(t, l->gain, c);
            const double h = (scalar_get(t, l->x, at + c) - mean) * rstd;
            const double dx = rstd * (g - g_mean - h * gh_mean);
            const double add = l->dx_add ? scalar_get(t, l->dx_add, at + c) : 0;
            scalar_put(t, l->dx, at + c, (float)(dx + add));
        }
        kernel_poll_row(team, r, l->cols);
    }
}

void kernel_norm_grad_params_ref(const struct kernel_team *team, const struct kernel_norm *l) {
    const enum kernel_dtype t = l->dtype;
#pragma omp parallel num_threads(team->threads)
    {
        const struct kernel_range share = kernel_share(l->cols, 16);
        for (int64_t r = 0; r < l->rows; r++) {
            const float mean = l->mean ? l->mean[r] : 0;
            for (int64_t c = share.begin; c < share.end; c++) {
                const float dy = scalar_get(t, l->dy, r * l->cols + c);
                l->dgain[c] += dy * ((scalar_get(t, l->x, r * l->cols + c) - mean) * l->rstd[r]);
                if (l->dbias) l->dbias[c] += dy;
            }
            kernel_poll_row(team, r, share.end - share.begin);
        }
    }
}

void kernel_gelu_forward_ref(const struct kernel_team *team, enum kernel_dtype t, int64_t n, const void *x, void *y) {
#pragma omp parallel num_threads(team->threads)
    {
        const struct kernel_range s = kernel_share(n, 64);
        for (struct kernel_range b = kernel_block_first(s); b.begin < s.end; b = kernel_block_next(team, s, b))
            for (int64_t i = b.begin; i < b.end; i++) scalar_put(t, y, i, (float)gelu_of(scalar_get(t, x, i)));
    }
}

void kernel_gelu_backward_ref(const struct kernel_team *team, enum kernel_dtype t, int64_t n, const void *x,
                              const void *dy, void *dx) {
#pragma omp parallel num_threads(team->threads)
    {
        const struct kernel_range s = kernel_share(n, 64);
        for (struct kernel_range b = kernel_block_first(s); b.begin < s.end; b = kernel_block_next(team, s, b))
            for (int64_t i = b.begin; i < b.end; i++)
                scalar_put(t, dx, i, (float)gelu_gradient(scalar_get(t, dy, i), scalar_get(t, x, i)));
    }
}

void kernel_swiglu_forward_ref(const struct kernel_team *team, const struct kernel_swiglu *s) {
    const enum kernel_dtype t = s->dtype;
#pragma omp parallel for num_threads(team->threads) schedule(static)
    for (int64_t r = 0; r < s->rows; r++) {
        const double weight = s->weights ? s->weights[r] : 1;
        for (int64_t c = 0; c < s->cols; c++) {
            const int64_t i = 2 * r * s->cols + c;
            const double at = scalar_get(t, s->x, i), value = scalar_get(t, s->x, i + s->cols);
            const double gate = at < -FLT_MAX ? -FLT_MAX : at; /* avoids infinity over infinity */
            scalar_put(t, s->y, r * s->cols + c, (float)(gate / (1 + exp(-gate)) * value * weight));
        }
        kernel_poll_row(team, r, s->cols);
    }
}

/* With p = 1 / (1 + e^-z): silu(z) = z p and silu'(z) = p (1 + z (1 - p)). */
void kernel_swiglu_backward_ref(const struct kernel_team *team, const struct kernel_swiglu *s) {
    const enum kernel_dtype t = s->dtype;
#pragma omp parallel for num_threads(team->threads) schedule(static)
    for (int64_t r = 0; r < s->rows; r++) {
        const double weight = s->weights ? s->weights[r] : 1;
        double dweight = 0;
        for (int64_t c = 0; c < s->cols; c++) {
            const int64_t gate = 2 * r * s->cols + c;
            const double at = scalar_get(t, s->x, gate), value = scalar_get(t, s->x, gate + s->cols);
            const double dy = scalar_get(t, s->dy, r * s->cols + c), d = dy * weight;
            const double z = at > 1000 ? 1000 : at < -1000 ? -1000 : at; /* else infinity times zero */
            const double p = 1 / (1 + exp(-z)), silu = at > z ? at : z * p;
            scalar_put(t, s->dx, gate, (float)(d * value * (p * (1 + z * (1 - p)))));
            scalar_put(t, s->dx, gate + s->cols, (float)(d * silu));
            dweight += dy * silu * value;
        }
        if (s->weights) s->dweights[r] = (float)dweight;
        kernel_poll_row(team, r, s->cols);
    }
}

void kernel_rotary_ref(const struct kernel_team *team, const struct kernel_rotary *k) {
    const int64_t half = k->head_dim / 2;
#pragma omp parallel for num_threads(team->threads) schedule(static)
    for (int64_t r = 0; r < k->rows; r++) {
        for (int64_t h = 0; h < k->heads; h++)
            for (int64_t i = 0; i < half; i++) {
                const int64_t angle = r % k->seq * half + i, first = r * k->row + h * k->head + i;
                const double c = k->cos[angle], s = k->inverse ? -k->sin[angle] : k->sin[angle];
                const double x1 = scalar_get(k->dtype, k->x, first), x2 = scalar_get(k->dtype, k->x, first + half);
                scalar_put(k->dtype, k->x, first, (float)(x1 * c - x2 * s));
                scalar_put(k->dtype, k->x, first + half, (float)(x2 * c + x1 * s));
            }
        kernel_poll_row(team, r, k->heads * k->head_dim);
    }
}

void kernel_column_sum_ref(const struct kernel_team *team, enum kernel_dtype t, int64_t rows, int64_t cols,
                           const void *x, float *sum) {
#pragma omp parallel num_threads(team->threads)
    {
        const struct kernel_range share = kernel_share(cols, 16);
        for (int64_t r = 0; r < rows; r++) {
            for (int64_t c = share.begin; c < share.end; c++) sum[c] += scalar_get(t, x, r * cols + c);
            kernel_poll_row(team, r, share.end - share.begin);
        }
    }
}

void kernel_to_bf16_ref(const struct kernel_team *team, int64_t n, const float *x, kernel_bf16 *y) {
#pragma omp parallel num_threads(team->threads)
    {
        const struct kernel_range s = kernel_share(n, 64);
        for (struct kernel_range b = kernel_block_first(s); b.begin < s.end; b = kernel_block_next(team, s, b))
            for (int64_t i = b.begin; i < b.end; i++) y[i] = scalar_narrow(x[i]);
    }
}

void kernel_from_bf16_ref(const struct kernel_team *team, int64_t n, const kernel_bf16 *x, float *y) {
#pragma omp parallel num_threads(team->threads)
    {
        const struct kernel_range s = kernel_share(n, 64);
        for (struct kernel_range b = kernel_block_first(s); b.begin < s.end; b = kernel_block_next(team, s, b))
            for (int64_t i = b.begin; i < b.end; i++) y[i] = scalar_widen(x[i]);
    }
}

void kernel_zero_ref(const struct kernel_team *team, int64_t n, float *x) {
#pragma omp parallel num_threads(team->threads)
    {
        const struct kernel_range s = kernel_share(n, 64);
        for (struct kernel_range b = kernel_block_first(s); b.begin < s.end; b = kernel_block_next(team, s, b))
            for (int64_t i = b.begin; i < b.end; i++) x[i] = 0;
    }
}

void kernel_triad_ref(const struct kernel_team *team, int64_t n, const float *x, float s, const float *y, float *z) {
#pragma omp parallel num_threads(team->threads)
    {
        const struct kernel_range share = kernel_share(n, 64);
        for (struct kernel_range b = kernel_block_first(share); b.begin < share.end;
             b = kernel_block_next(team, share, b))
            for (int64_t i = b.begin; i < b.end; i++) z[i] = x[i] + s * y[i];
    }
}

void kernel_copy_ref(const struct kernel_team *team, int64_t n, const float *x, float *y) {
#pragma omp parallel num_threads(team->threads)
    {
        const struct kernel_range s = kernel_share(n, 64);
        for (struct kernel_range b = kernel_block_first(s); b.begin < s.end; b = kernel_block_next(team, s, b))
            for (int64_t i = b.begin; i < b.end; i++) y[i] = x[i];
    }
}
