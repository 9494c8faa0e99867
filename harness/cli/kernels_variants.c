/* SPDX-License-Identifier: Apache-2.0
 *
 * Who competes: instruction sets, with B packed ahead or not, and OpenBLAS. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/kernels_options.h"

static const char PACKED[] = "+packed";

static void add(struct cli_kernels_setup *s, enum kernel_isa isa, enum kernel_backend backend, bool packed) {
    struct bench_kernel_variant *v = &s->variants[s->variant_count++];
    kernel_select(&v->ops, isa, backend);
    v->held = kernel_variant(&v->ops, "gemm");
    v->packed = packed;
    snprintf(v->name, sizeof v->name, "%s%s", v->held, packed ? PACKED : "");
}

/* "avx2" or "avx2+packed" */
static bool names(const char *word, enum kernel_isa isa, bool *packed) {
    const size_t length = strlen(kernel_isa_name(isa));
    *packed = !strncmp(word, kernel_isa_name(isa), length) && !strcmp(word + length, PACKED);
    return *packed || !strcmp(word, kernel_isa_name(isa));
}

static int add_named(struct cli_kernels_setup *s, const char *word, enum kernel_isa best, struct base_error *e) {
    char usable[96] = "";
    bool packed;
    for (int i = 0; i < s->variant_count; i++)
        if (!strcmp(s->variants[i].name, word)) return BASE_OK;
    if (!strcmp(word, "openblas")) {
        add(s, best, KERNEL_BACKEND_OPENBLAS, false);
        return BASE_OK;
    }
    for (enum kernel_isa isa = KERNEL_ISA_ref; isa < KERNEL_ISA_COUNT; isa++) {
        const size_t used = strlen(usable);
        if (!kernel_isa_usable(isa)) continue;
        snprintf(usable + used, sizeof usable - used, "%s, ", kernel_isa_name(isa));
        if (!names(word, isa, &packed)) continue;
        add(s, isa, KERNEL_BACKEND_TOISE, packed);
        return BASE_OK;
    }
    return base_fail(e, BASE_USAGE, "--isa: \"%.64s\" is unknown, or this CPU or build lacks it; take %sopenblas", word,
                     usable);
}

int cli_kernels_variants_resolve(const char *list, struct cli_kernels_setup *s, struct base_error *e) {
    enum kernel_isa best;
    const char *words[16];
    char text[CLI_KERNELS_LIST];
    int code = cli_isa(&best, e);
    if (code) return code;
    if (!list) {
        for (int packed = 0; packed < 2; packed++) add(s, best, KERNEL_BACKEND_TOISE, packed);
        add(s, best, KERNEL_BACKEND_OPENBLAS, false);
        return BASE_OK;
    }
    const int count = cli_kernels_words(list, text, words, 16);
    if (count < 1) return base_fail(e, BASE_USAGE, "--isa: \"%.64s\"; give names with commas between", list);
    for (int w = 0; w < count && !code; w++) code = add_named(s, words[w], best, e);
    return code;
}

void cli_kernels_without_openblas(struct cli_kernels_setup *s) {
    int kept = 0;
    for (int i = 0; i < s->variant_count; i++)
        if (strcmp(s->variants[i].held, "openblas") != 0) s->variants[kept++] = s->variants[i];
    s->variant_count = kept;
}

/* Whose code the variant's table runs in this case: its own, or that of a set below; NULL where it has no part. Weights
 * are packed ahead: B of forward and of the gradient of the input, A not transposed. */
static const char *runs(const struct bench_kernel_variant *v, const struct bench_kernel_case *c) {
    const bool f32 = c->dtype == KERNEL_F32, matmul = c->op->kind == BENCH_SHAPE_MATMUL;
    const char *held = kernel_variant(&v->ops, c->op->name);
    if (v->packed && (!matmul || c->shape.a_trans)) return NULL;
    if (!strcmp(v->held, "openblas")) return matmul && f32 ? held : NULL;
    if (matmul && f32 && !strcmp(held, kernel_isa_name(KERNEL_ISA_avx512bf16)))
        return kernel_isa_name(KERNEL_ISA_avx512);
    return held;
}

int cli_kernels_variants(const struct cli_kernels_setup *s, const struct bench_kernel_case *c,
                         struct bench_kernel_variant own[BENCH_VARIANTS_MAX]) {
    int count = 0;
    for (int i = 0; i < s->variant_count; i++) {
        const struct bench_kernel_variant *v = &s->variants[i];
        const char *name = runs(v, c);
        bool twice = !name;
        for (int k = 0; name && k < s->variant_count; k++) /* the set whose code it is competes by itself */
            twice = twice || (k != i && s->variants[k].packed == v->packed && !strcmp(s->variants[k].held, name));
        if (twice) continue;
        own[count] = *v;
        own[count].held = name;
        snprintf(own[count++].name, sizeof own->name, "%s%s", name, v->packed ? PACKED : "");
    }
    return count;
}
