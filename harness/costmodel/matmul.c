/* SPDX-License-Identifier: Apache-2.0
 *
 * The rates that a device achieves, and the seconds of a matmul at them. */
#include "costmodel/matmul.h"

#include <math.h>

/* Not fitted: published steps do not separate these from their neighbours. So each keeps its common value. */
static const double K0_ATTENTION = 32; /* elements of k; an attention head's matmuls have k of 64 to 256 */
/* Fused attention over the rate of large matmuls, for classes without a figure. Other classes are near it. */
static const double FLASH_SHARE = 0.6;
/* The same of matmuls in FP8 and FP4, over the share of their peak. */
static const double LOW_SHARE = 0.8;

/* Usual tiles of cuBLAS, and their rates relative to the largest. Smaller tiles reuse an element less (NVIDIA, Matrix
 * Multiplication Background User's Guide, 2023). */
static const struct {
    double m, n, rate;
} tiles[] = {{256, 128, 1},   {128, 256, 1},   {128, 128, 0.93}, {256, 64, 0.85},
             {64, 256, 0.85}, {128, 64, 0.80}, {64, 64, 0.65}};

/* No chip's clocks rise further with its power. */
static const double CLOCKS_MOST = 1.2;
/* Bytes moved to quantise an element: it is read, and written in both orders. */
static const double QUANTISED = 4;

static double matmul_share(const struct cost_platform *x, const struct cost_parameters *p) {
    if (!machine_class_has(x->class, MACHINE_MATMUL_SHARE)) return x->matmul_share;
    return cost_parameters_trait(p, x->class, MACHINE_MATMUL_SHARE);
}

/* Clocks fall when power does, of chips of one class. */
static double clocks(const struct cost_platform *x, const struct cost_parameters *p) {
    const double usual = x->class->joule_per_flop.value, own = x->power_w / x->peak_flop_per_s;
    return own > 0 && usual > 0 ? fmin(CLOCKS_MOST, pow(own / usual, p->value[COST_P_power])) : 1;
}

/* FLOP/s of layers' matmuls in a precision below 16 bits; 0: they have 16. */
static double low_rate(const struct cost_job *job, const struct cost_parameters *p) {
    const struct machine_class *class = job->platform.class;
    const enum machine_trait trait = job->traits.precision == COST_FP4 ? MACHINE_FP4_SHARE : MACHINE_FP8_SHARE;
    const double peak = cost_job_peak(job);
    if (job->traits.precision == COST_16BIT) return 0;
    if (machine_class_has(class, trait)) return peak * cost_parameters_trait(p, class, trait);
    return peak * LOW_SHARE * matmul_share(&job->platform, p);
}

static double flash_share(const struct cost_job *job, const struct cost_parameters *p) {
    const struct machine_class *class = job->platform.class;
    if (job->traits.older_flash && machine_class_has(class, MACHINE_OLDER_FLASH_SHARE))
        return cost_parameters_trait(p, class, MACHINE_OLDER_FLASH_SHARE);
    if (machine_class_has(class, MACHINE_FLASH_SHARE)) return cost_parameters_trait(p, class, MACHINE_FLASH_SHARE);
    return FLASH_SHARE * matmul_share(&job->platform, p);
}

void cost_rates_fill(const struct cost_job *job, const struct cost_parameters *p, const struct cost_ablation *ablation,
                     struct cost_rates *r) {
    const struct cost_platform *x = &job->platform;
    const double align = ablation->alignment ? 1 : p->value[COST_P_align], clock = clocks(x, p);
    const double memory = x->memory_bytes_per_s * p->value[COST_P_memory];
    static const enum cost_parameter quantises[COST_PRECISIONS] = {
        [COST_FP8] = COST_P_quantise, [COST_FP8_BLOCK] = COST_P_quantise_block, [COST_FP4] = COST_P_quantise_fp4};
    const enum cost_precision precision = job->traits.precision;
    *r = (struct cost_rates){
        .units = x->units,
        .matmul = x->peak_flop_per_s * (job->traits.fp32 ? x->tf32_share : 1) * matmul_share(x, p) * clock,
        .low = low_rate(job, p) * clock,
        .low_word = precision == COST_FP4 ? 0.5 : 1,
        .quantise = precision == COST_16BIT ? 0 : QUANTISED * p->value[quantises[precision]] / memory,
        .slow = ablation->alignment ? 0 : x->fp32_flop_per_s * p->value[COST_P_tc8],
        .flash = x->peak_flop_per_s * flash_share(job, p) * clock,
        .memory = memory,
        .k0 = p->value[COST_P_k0],
        .k0_attention = K0_ATTENTION,
        .misaligned = {1},
        .word = job->traits.weight_bytes,
        .quantised = !ablation->quantisation && x->units > 0,
    };
    for (int i = 1; i < (int)(sizeof r->misaligned / sizeof *r->misaligned); i++)
        r->misaligned[i] = r->misaligned[i - 1] / align;
}

/* Factors of two that x lacks to a multiple of 64: 0 to 6. A shard's size may not be whole: 6. */
static int lacks(double x) {
    const double whole = rint(x);
    int factors = 0;
    if (fabs(whole - x) >= 1e-6) return 6;
    for (long long n = (long long)whole; factors < 6 && !(n & 1); n >>= 1) factors++;
    return 6 - factors;
}

/* Elements of the output, padded to whole tiles and waves, by the best tile. */
static double padded_area(const struct cost_rates *r, double m, double n, double batch) {
    double best = INFINITY;
    if (!r->quantised) return m * n * batch;
    for (unsigned i = 0; i < sizeof tiles / sizeof *tiles; i++) {
        const double count = ceil(m / tiles[i].m) * ceil(n / tiles[i].n) * batch;
        best = fmin(best, ceil(count / r->units) * r->units * tiles[i].m * tiles[i].n / tiles[i].rate);
    }
    return best;
}

struct format {
    double rate, k0, word;
};

static double products(const struct cost_rates *r, const struct format *f, double m, double n, double k, double count,
                       bool slow) {
    const double bytes = count * (f->word * (m * k + k * n) + r->word * m * n);
    const int lacks_k = lacks(k), lacks_n = lacks(n);
    double arithmetic =
        2 * padded_area(r, m, n, count) * k / f->rate * (1 + f->k0 / k) * r->misaligned[lacks_k + lacks_n];
    if (slow && r->slow > 0 && (lacks_k > 3 || lacks_n > 3)) arithmetic = 2 * m * n * k * count / r->slow;
    return fmax(arithmetic, bytes / r->memory);
}

double cost_matmul_s(const struct cost_rates *r, double m, double n, double k, double batch) {
    const struct format f = {r->matmul, batch > 0 ? r->k0_attention : r->k0, r->word};
    return products(r, &f, m, n, k, batch > 0 ? batch : 1, batch > 1);
}

double cost_linear_s(const struct cost_rates *r, double m, double n, double k, double groups) {
    const struct format usual = {r->matmul, r->k0, r->word};
    /* a tile starts and ends in the same time, in which more of k could be done */
    const struct format low = {r->low, r->k0 * r->low / r->matmul, r->low_word};
    return products(r, r->low > 0 ? &low : &usual, m, n, k, groups, false);
}
