/* SPDX-License-Identifier: Apache-2.0
 *
 * Every operation of list.h once, as a call on operands that the includer supplies. Tests and benchmarks of the
 * variants both use it. An operation without prepare_ and run_ here compiles in neither. C11 and C++17.
 * prepare_x() takes and fills the operands of a call and returns false if there is no such call. Without o->take it
 * only counts. run_x() calls team->ops->x. */
#ifndef TOISE_TESTS_OPERATIONS_H
#define TOISE_TESTS_OPERATIONS_H

#include "unit/support/operations_dense.h"
#include "unit/support/operations_rows.h"

/* Every variant of list.h, in its order; put() stores it in a table. */
struct operation_variant {
    const char *op, *isa;
    bool (*prepare)(struct operation *);
    void (*run)(const struct kernel_team *, struct operation *);
    void (*put)(struct kernel_ops *);
};
#define K(op, isa)                                                                                                     \
    static void put_##op##_##isa(struct kernel_ops *ops) {                                                             \
        ops->op = kernel_##op##_##isa;                                                                                 \
    }
#include "list.h"
#undef K
static const struct operation_variant operation_variants[] = {
#define K(op, isa) {#op, #isa, prepare_##op, run_##op, put_##op##_##isa},
#include "list.h"
#undef K
};
enum { OPERATION_VARIANTS = sizeof operation_variants / sizeof *operation_variants };

/* Whether this host can run it. A backend is not an instruction set and runs anywhere. */
static inline bool operation_usable(const struct operation_variant *v) {
    for (int isa = 0; isa < KERNEL_ISA_COUNT; isa++)
        if (strcmp(v->isa, kernel_isa_name((enum kernel_isa)isa)) == 0) return kernel_isa_usable((enum kernel_isa)isa);
    return true;
}

/* A table of the best variants up to this one's instruction set (for a backend: the best of all), with this variant. */
static inline void operation_select(const struct operation_variant *v, struct kernel_ops *ops) {
    enum kernel_isa cap = kernel_isa_best();
    for (int isa = 0; isa < KERNEL_ISA_COUNT; isa++)
        if (strcmp(v->isa, kernel_isa_name((enum kernel_isa)isa)) == 0) cap = (enum kernel_isa)isa;
    kernel_select(ops, cap, KERNEL_BACKEND_TOISE);
    v->put(ops);
}

/* Runs what must precede run(): another operation of the table writes something that the call reads. */
static inline void operation_ready(const struct kernel_team *team, struct operation *o) {
    struct kernel_gemm *g = &o->gemm;
    if (!(o->options & OPTION_PACKED) || g->b_packed || !g->c) return;
    team->ops->gemm_pack(team, g, o->z);
    g->b = o->z, g->b_packed = true;
}

#endif
