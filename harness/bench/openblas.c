/* SPDX-License-Identifier: Apache-2.0
 *
 * Which core types to try, in which order, and what their rates mean. */
#include "bench/openblas.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/child.h"
#include "base/clock.h"
#include "base/stats.h"
#include "kernels.h"
#include "plan/ledger.h"
#include "records/set.h"

/* Names from OpenBLAS's dynamic.c and what a CPU needs to run them. OpenBLAS does not check a forced type. */
static const struct {
    const char *name;
    enum kernel_isa needs;
} types[] = {
    {"Sandybridge", KERNEL_ISA_avx2}, {"Haswell", KERNEL_ISA_avx2},          {"Zen", KERNEL_ISA_avx2},
    {"SkylakeX", KERNEL_ISA_avx512},  {"Cooperlake", KERNEL_ISA_avx512bf16}, {"Sapphirerapids", KERNEL_ISA_avx512bf16}};

static struct bench_core *add(struct bench_openblas *o, const char *name, bool unset) {
    struct bench_core *c = &o->cores[o->count++];
    *c = (struct bench_core){.unset = unset, .flop_per_s = NAN};
    snprintf(c->name, sizeof c->name, "%s", name);
    return c;
}

static void list(struct bench_openblas *o) {
    add(o, o->forced, false);
    if (o->forced[0]) add(o, "", true);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (kernel_isa_usable(types[i].needs) && strcasecmp(types[i].name, o->core) != 0) add(o, types[i].name, false);
}

/* Runs one process. False: it gave no rate of the type `wanted` ("": any). */
static bool run_once(struct bench_core *c, const char *wanted, char *const command[], double limit_s) {
    char setting[80], line[512];
    const char *core;
    double rate;
    snprintf(setting, sizeof setting, "OPENBLAS_CORETYPE=%s", c->name);
    if (!base_child(command, c->name[0] ? setting : NULL, limit_s, line, sizeof line)) return false;
    json_t *answer = json_loads(line, JSON_DISABLE_EOF_CHECK, NULL);
    const bool read = !json_unpack(answer, "{s:s, s:F}", "core", &core, "flop_per_s", &rate);
    const bool good = read && rate > 0 && (!wanted[0] || !strcasecmp(core, wanted));
    if (good) {
        snprintf(c->core, sizeof c->core, "%s", core);
        c->rates[c->runs++] = rate;
    }
    json_decref(answer);
    return good;
}

static double fastest(const struct bench_core *c) {
    double best = 0;
    for (int i = 0; i < c->runs; i++) best = fmax(best, c->rates[i]);
    return best;
}

/* Whether a type had less than half the best rate in two runs or more. Noise cannot explain that, so it is not run
 * again. */
static bool hopeless(const struct bench_openblas *o, const struct bench_core *c) {
    double best = 0;
    for (int i = 0; i < o->count; i++) best = fmax(best, fastest(&o->cores[i]));
    return c->runs >= 2 && fastest(c) < 0.5 * best;
}

void bench_openblas_try(struct bench_openblas *o, char *const command[], double limit_s) {
    const char *forced = getenv("OPENBLAS_CORETYPE");
    *o = (struct bench_openblas){.gain = 1, .dynamic = strstr(kernel_openblas_config(), "DYNAMIC_ARCH") != NULL};
    snprintf(o->core, sizeof o->core, "%s", kernel_openblas_core());
    snprintf(o->forced, sizeof o->forced, "%s", forced ? forced : "");
    if (!o->dynamic) return;
    list(o);
    for (int round = 0; round < BENCH_CORE_ROUNDS; round++)
        for (int i = 0; i < o->count; i++) {
            struct bench_core *c = &o->cores[i];
            const char *wanted = i ? c->name : ""; /* cores[0]: OpenBLAS ignores a name that it does not know */
            if (!c->dead && !hopeless(o, c)) c->dead = !run_once(c, wanted, command, limit_s);
        }
    bench_openblas_judge(o);
}

/* How much faster a type is than the one in use: by medians or by fastest runs, whichever says less. Other load only
 * slows runs. So on a busy machine the medians of equal types may differ, but hardly the fastest runs too. */
static double gain_of(const struct bench_openblas *o, const struct bench_core *c) {
    const double medians = c->flop_per_s / o->cores[0].flop_per_s;
    return isnan(medians) ? 0 : fmin(medians, fastest(c) / fastest(&o->cores[0]));
}

void bench_openblas_judge(struct bench_openblas *o) {
    o->best = 0;
    o->gain = 1;
    o->cure[0] = 0;
    for (int i = 0; i < o->count; i++) {
        struct bench_core *c = &o->cores[i];
        c->flop_per_s = c->dead || !c->runs ? NAN : base_stats_median(c->rates, c->runs, 0.95).median;
        if (gain_of(o, c) > o->gain) o->gain = gain_of(o, &o->cores[o->best = i]);
    }
    /* prefer unsetting the variable if that helps and no other type is clearly faster */
    for (int i = 0; i < o->count; i++) {
        const double gain = o->cores[i].unset ? gain_of(o, &o->cores[i]) : 0;
        if (gain >= BENCH_CORE_GAIN && gain * BENCH_CORE_GAIN > o->gain) o->gain = gain, o->best = i;
    }
    const struct bench_core *best = &o->cores[o->best];
    o->wrong = o->gain >= BENCH_CORE_GAIN;
    if (!o->wrong) return;
    snprintf(o->cure, sizeof o->cure, best->unset ? "unset OPENBLAS_CORETYPE" : "export OPENBLAS_CORETYPE=%s",
             best->name);
}

/* Seconds of one matmul, the least of four after a first: the process is young, and disturbance only adds time. */
static double least_s(const struct kernel_team *team, const struct kernel_gemm *g) {
    double least = INFINITY;
    for (int i = 0; i < 5; i++) {
        const double start = base_clock_now();
        team->ops->gemm(team, g);
        const double seconds = base_clock_now() - start;
        if (i) least = fmin(least, seconds);
    }
    return least;
}

int bench_openblas_probe(int threads, double *flop_per_s, struct base_error *e) {
    enum { TOKENS = 512, UP = 2304, WIDTH = 768 }; /* forward and both gradients of one linear layer */
    static const struct kernel_gemm shapes[] = {
        {.m = TOKENS, .n = UP, .k = WIDTH, .b_trans = true, .lda = WIDTH, .ldb = WIDTH, .ldc = UP},
        {.m = TOKENS, .n = WIDTH, .k = UP, .lda = UP, .ldb = WIDTH, .ldc = WIDTH},
        {.m = UP, .n = WIDTH, .k = TOKENS, .a_trans = true, .lda = UP, .ldb = WIDTH, .ldc = WIDTH}};
    struct kernel_ops ops;
    struct base_arena arenas[3] = {{0}};
    double flop = 0, seconds = 0;
    int code = BASE_OK;
    kernel_select(&ops, KERNEL_ISA_ref, KERNEL_BACKEND_OPENBLAS);
    const struct kernel_team team = {.ops = &ops, .threads = threads};
    for (int i = 0; i < 3 && !code; i++) code = base_arena_open(&arenas[i], sizeof(float) * UP * WIDTH, threads, e);
    for (int i = 0; i < 3 && !code; i++)
        for (int64_t j = 0; j < UP * WIDTH; j++) ((float *)(void *)arenas[i].base)[j] = (float)(j % 17) * 0.125f - 1;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes && !code; i++) {
        struct kernel_gemm g = shapes[i];
        g.a = arenas[0].base, g.b = arenas[1].base, g.c = arenas[2].base;
        flop += plan_gemm_flop(g.m, g.n, g.k);
        seconds += least_s(&team, &g);
    }
    for (int i = 0; i < 3; i++) base_arena_close(&arenas[i]);
    if (!code) *flop_per_s = flop / seconds;
    return code;
}

json_t *bench_openblas_json(const struct bench_openblas *o) {
    json_t *result = json_object(), *cores = json_array();
    record_set(result, "core", json_string(o->core));
    record_set(result, "forced", o->forced[0] ? json_string(o->forced) : json_null());
    record_set(result, "dynamic_arch", json_boolean(o->dynamic));
    for (int i = 0; i < o->count; i++) {
        const struct bench_core *c = &o->cores[i];
        json_t *one = json_object(), *rates = json_array();
        for (int k = 0; k < c->runs; k++) json_array_append_new(rates, json_real(c->rates[k]));
        record_set(one, "coretype", c->name[0] ? json_string(c->name) : json_null());
        record_set(one, "core", c->core[0] ? json_string(c->core) : json_null());
        record_set_number(one, "flop_per_s", c->flop_per_s);
        record_set(one, "samples", rates);
        json_array_append_new(cores, one);
    }
    record_set(result, "cores", cores);
    record_set_number(result, "gain", o->gain);
    record_set(result, "wrong", json_boolean(o->wrong));
    record_set(result, "timed", json_boolean(o->timed));
    if (o->wrong) record_set(result, "cure", json_string(o->cure));
    return result;
}
