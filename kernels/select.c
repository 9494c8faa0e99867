/* SPDX-License-Identifier: Apache-2.0
 *
 * Chooses the variants: what the CPU has gives a table of function pointers. TOISE_ISA caps it; list.h has the
 * candidates. */
#include <stdlib.h>
#include <string.h>

#include "declare.h"
#include "gemm/gemm_cblas.h"
#include "scratch.h"

/* A backend, not an instruction set. It is within no cap, so only its name selects it. */
enum { KERNEL_ISA_openblas = KERNEL_ISA_COUNT };

static const struct {
    const char *name;
    enum kernel_isa base; /* it also uses the kernels of this set, and needs what this set needs */
} sets[KERNEL_ISA_COUNT] = {
    [KERNEL_ISA_ref] = {"ref", KERNEL_ISA_ref},
    [KERNEL_ISA_neon] = {"neon", KERNEL_ISA_ref},
    [KERNEL_ISA_avx2] = {"avx2", KERNEL_ISA_ref},
    [KERNEL_ISA_avx512] = {"avx512", KERNEL_ISA_avx2},
    [KERNEL_ISA_avx512bf16] = {"avx512bf16", KERNEL_ISA_avx512},
};

const char *kernel_isa_name(enum kernel_isa isa) {
    return isa < KERNEL_ISA_COUNT ? sets[isa].name : "unknown";
}

enum kernel_isa kernel_isa_base(enum kernel_isa isa) {
    return isa < KERNEL_ISA_COUNT ? sets[isa].base : KERNEL_ISA_ref;
}

bool kernel_isa_within(enum kernel_isa isa, enum kernel_isa cap) {
    while (cap > isa && cap < KERNEL_ISA_COUNT) cap = kernel_isa_base(cap);
    return cap == isa && isa < KERNEL_ISA_COUNT;
}

/* __builtin_cpu_supports reads XCR0 too: a set whose registers the system does not save counts as absent. */
static bool cpu_has(enum kernel_isa isa) {
#ifdef KERNEL_EMULATED /* plain C (simd.inc.h) runs anywhere */
    return isa < KERNEL_ISA_COUNT;
#endif
    switch (isa) {
    case KERNEL_ISA_ref:
        return true;
#ifdef KERNEL_HAVE_NEON
    case KERNEL_ISA_neon: /* every 64-bit Arm has it */
        return true;
#endif
#ifdef KERNEL_HAVE_AVX2
    case KERNEL_ISA_avx2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
#ifdef KERNEL_HAVE_AVX512
    case KERNEL_ISA_avx512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#endif
#ifdef KERNEL_HAVE_AVX512BF16
    case KERNEL_ISA_avx512bf16:
        return __builtin_cpu_supports("avx512bf16");
#endif
    default:
        return false;
    }
}

bool kernel_isa_usable(enum kernel_isa isa) {
    while (isa != KERNEL_ISA_ref && cpu_has(isa)) isa = kernel_isa_base(isa);
    return isa == KERNEL_ISA_ref;
}

/* Intel's cores start a 512-bit BF16 dot every second cycle, but two multiply-adds every cycle. On two cores of
 * Emerald Rapids the loops of peak/ gave 178 against 347 GFLOP/s. Widening BF16 is faster there. */
static bool is_slow(enum kernel_isa isa) {
#ifdef __x86_64__
    return isa == KERNEL_ISA_avx512bf16 && __builtin_cpu_is("intel");
#else
    return isa >= KERNEL_ISA_COUNT;
#endif
}

enum kernel_isa kernel_isa_best(void) {
    const char *cap = getenv("TOISE_ISA");
    const bool named = cap && *cap;
    enum kernel_isa best = named ? KERNEL_ISA_ref : KERNEL_ISA_HIGHEST;
    while (named && strcmp(cap, kernel_isa_name(best)) != 0)
        if (++best == KERNEL_ISA_COUNT) return best;
    while (!kernel_isa_usable(best) || (!named && is_slow(best))) best = kernel_isa_base(best);
    return best;
}

void kernel_select(struct kernel_ops *ops, enum kernel_isa cap, enum kernel_backend backend) {
#define K(op, isa)                                                                                                     \
    if (kernel_isa_within((enum kernel_isa)KERNEL_ISA_##isa, cap)) ops->op = kernel_##op##_##isa;
#include "list.h"
#undef K
    if (backend == KERNEL_BACKEND_OPENBLAS) ops->gemm = kernel_gemm_openblas;
    ops->cblas = NULL;
}

void kernel_select_cblas(struct kernel_ops *ops, const struct kernel_cblas *library) {
    ops->gemm = kernel_gemm_cblas;
    ops->cblas = library;
}

const char *kernel_variant(const struct kernel_ops *ops, const char *op) {
#define K(name, isa)                                                                                                   \
    if (strcmp(op, #name) == 0 && ops->name == kernel_##name##_##isa) return #isa;
#include "list.h"
#undef K
    return strcmp(op, "gemm") == 0 && ops->gemm == kernel_gemm_cblas ? "cblas" : NULL;
}

/* The peak loop is the only operation that always follows the instruction set, whatever the backend. */
bool kernel_bf16_native(const struct kernel_ops *ops) {
    const char *isa = kernel_variant(ops, "peak");
    return isa && strcmp(isa, "avx512bf16") == 0;
}

enum kernel_dtype kernel_attention_weights(const struct kernel_ops *ops, enum kernel_dtype dtype) {
    const char *isa = kernel_variant(ops, "attention_forward");
    return isa && strcmp(isa, "avx512bf16") == 0 ? dtype : KERNEL_F32;
}

size_t kernel_scratch_bytes(int threads, int64_t seq, int64_t head_dim) {
    size_t gemm = kernel_gemm_scratch(threads), attention = kernel_attention_scratch(threads, seq, head_dim);
    size_t rows = kernel_rows_scratch(threads), most = gemm > attention ? gemm : attention;
    return most > rows ? most : rows;
}
