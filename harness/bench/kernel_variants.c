/* SPDX-License-Identifier: Apache-2.0
 *
 * Chooses variants and finds which of them apply to a case. An instruction set without its own kernel runs that of a
 * lower one, which is then not timed twice. */
#include "bench/kernel_variants.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

static const char PACKED[] = "+packed";

static void add(struct bench_kernel_variants *v, enum kernel_isa isa, enum kernel_backend backend, bool packed) {
    struct bench_kernel_variant *one = &v->at[v->count++];
    kernel_select(&one->ops, isa, backend);
    one->held = kernel_variant(&one->ops, "gemm");
    one->packed = packed;
    snprintf(one->name, sizeof one->name, "%s%s", one->held, packed ? PACKED : "");
}

/* Whether `word` is "avx2" or "avx2+packed". */
static bool names(const char *word, enum kernel_isa isa, bool *packed) {
    const size_t length = strlen(kernel_isa_name(isa));
    *packed = !strncmp(word, kernel_isa_name(isa), length) && !strcmp(word + length, PACKED);
    return *packed || !strcmp(word, kernel_isa_name(isa));
}

static int add_named(struct bench_kernel_variants *v, const char *word, enum kernel_isa best, struct base_error *e) {
    char usable[96] = "";
    bool packed;
    for (int i = 0; i < v->count; i++)
        if (!strcmp(v->at[i].name, word)) return BASE_OK;
    if (!strcmp(word, "openblas")) {
        add(v, best, KERNEL_BACKEND_OPENBLAS, false);
        return BASE_OK;
    }
    for (enum kernel_isa isa = KERNEL_ISA_ref; isa < KERNEL_ISA_COUNT; isa++) {
        const size_t used = strlen(usable);
        if (!kernel_isa_usable(isa)) continue;
        snprintf(usable + used, sizeof usable - used, "%s, ", kernel_isa_name(isa));
        if (!names(word, isa, &packed)) continue;
        add(v, isa, KERNEL_BACKEND_TOISE, packed);
        return BASE_OK;
    }
    return base_fail(e, BASE_USAGE, "--isa: \"%.64s\" is unknown, or this CPU or build lacks it; take %sopenblas", word,
                     usable);
}

int bench_kernel_variants_choose(struct bench_kernel_variants *v, const char *list, enum kernel_isa best,
                                 struct base_error *e) {
    const char *words[16];
    char text[512];
    int code = BASE_OK;
    if (!list) {
        for (int packed = 0; packed < 2; packed++) add(v, best, KERNEL_BACKEND_TOISE, packed);
        add(v, best, KERNEL_BACKEND_OPENBLAS, false);
        return BASE_OK;
    }
    const int count = base_text_words(list, text, sizeof text, words, 16);
    if (count < 1) return base_fail(e, BASE_USAGE, "--isa: \"%.64s\"; give names separated by commas", list);
    for (int w = 0; w < count && !code; w++) code = add_named(v, words[w], best, e);
    return code;
}

void bench_kernel_variants_add_library(struct bench_kernel_variants *v, const struct kernel_ops *ops) {
    v->at[v->count++] = (struct bench_kernel_variant){.name = "cblas", .held = "cblas", .ops = *ops};
}

void bench_kernel_variants_without_openblas(struct bench_kernel_variants *v) {
    int kept = 0;
    for (int i = 0; i < v->count; i++)
        if (strcmp(v->at[i].held, "openblas") != 0) v->at[kept++] = v->at[i];
    v->count = kept;
}

/* The instruction set whose code the variant runs in this case, its own or a lower one; NULL: it does not apply.
 * Weights are packed: B of forward and of the input gradient, where A is not transposed. */
static const char *runs(const struct bench_kernel_variant *v, const struct bench_kernel_case *c) {
    const bool f32 = c->dtype == KERNEL_F32, matmul = c->op->kind == BENCH_SHAPE_MATMUL;
    const char *held = kernel_variant(&v->ops, c->op->name);
    if (v->packed && (!matmul || c->shape.a_trans)) return NULL;
    if (v->ops.cblas) return matmul && (f32 || v->ops.cblas->sbgemm) ? held : NULL;
    if (!strcmp(v->held, "openblas")) return matmul && f32 ? held : NULL;
    if (matmul && f32 && !strcmp(held, kernel_isa_name(KERNEL_ISA_avx512bf16)))
        return kernel_isa_name(KERNEL_ISA_avx512);
    return held;
}

int bench_kernel_variants_of(const struct bench_kernel_variants *v, const struct bench_kernel_case *c,
                             struct bench_kernel_variant own[BENCH_VARIANTS_MAX]) {
    int count = 0;
    for (int i = 0; i < v->count; i++) {
        const struct bench_kernel_variant *one = &v->at[i];
        const char *name = runs(one, c);
        bool skip = !name;
        for (int k = 0; name && k < v->count; k++) /* the set that owns the code is timed itself */
            skip = skip || (k != i && v->at[k].packed == one->packed && !strcmp(v->at[k].held, name));
        if (skip) continue;
        own[count] = *one;
        own[count].held = name;
        snprintf(own[count++].name, sizeof own->name, "%s%s", name, one->packed ? PACKED : "");
    }
    return count;
}

void bench_kernel_variants_keep(const struct bench_kernel_variants *v, struct bench_kernel_cases *cases) {
    struct bench_kernel_variant own[BENCH_VARIANTS_MAX];
    int kept = 0;
    for (int i = 0; i < cases->count; i++)
        if (bench_kernel_variants_of(v, &cases->at[i], own)) cases->at[kept++] = cases->at[i];
    cases->count = kept;
}

void bench_kernel_variants_explain(FILE *page, const struct bench_kernel_variants *v, const struct kernel_caches *c,
                                   int threads) {
    char l1[32], l2[32], l3[32];
    base_text_bytes((double)c->l1, l1, sizeof l1);
    base_text_bytes((double)c->l2, l2, sizeof l2);
    base_text_bytes((double)c->l3, l3, sizeof l3);
    fprintf(page, "caches of a thread: L1 %s, L2 %s; L3 of all %d: %s (0 B: unknown)\n", l1, l2, threads, l3);
    for (int i = 0; i < v->count; i++) {
        const struct bench_kernel_variant *one = &v->at[i];
        if (one->packed || one->ops.cblas || !strcmp(one->held, "openblas")) continue;
        for (int t = 0; t < KERNEL_DTYPE_COUNT; t++) {
            struct kernel_blocking cut;
            char text[2048];
            kernel_gemm_blocking(&one->ops, c, (enum kernel_dtype)t, &cut);
            kernel_blocking_explain(&cut, c, text, sizeof text);
            fprintf(page, "\nmatmul %s %s\n%s", one->name, t == KERNEL_F32 ? "f32" : "bf16", text);
        }
    }
    fputc('\n', page);
}
