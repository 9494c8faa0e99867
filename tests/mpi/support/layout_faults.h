/* SPDX-License-Identifier: Apache-2.0
 *
 * Faults as frameworks have had them, put into an engine's groups, its kernels or one rank's start. The gate notices
 * each tenfold, and without a fault it holds. */
#ifndef TOISE_TESTS_LAYOUT_FAULTS_H
#define TOISE_TESTS_LAYOUT_FAULTS_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "comm/count.h"
#include "gate/gate.h"
#include "mpi/support/agreed.h"
#include "unit/support/rig.h"

/* By group; each has the number of its comm in groups_of. */
enum fault_group { TENSOR, DATA, HEADS, STAGES, ENDS, CONTEXT, EXPERTS, SAME, FAULT_GROUPS };
static const struct comm_ops *own[FAULT_GROUPS]; /* the groups' own tables */
static struct kernel_ops sound;
static int64_t width, layers, calls; /* layers: of the rank */
static int rank, rank_of_world;      /* tensor parallel; of all */
static bool last_stage;

static inline bool is_last(const struct comm *c) {
    return c->rank == c->size - 1;
}
static inline void none(struct comm_request *request) {
    *request = (struct comm_request){0};
}
static inline void twice(float *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) x[i] *= 2;
}
static inline void not_summed(struct comm *c, void *x, int64_t n, enum kernel_dtype t, struct comm_request *request) {
    (void)c, (void)x, (void)n, (void)t;
    none(request);
}
static inline void norm_of_part(struct comm *c, double *x, int n) {
    (void)c, (void)x, (void)n;
}
/* One rank's copies drift away. */
static inline void drifting(const struct kernel_team *team, const struct kernel_adamw *a) {
    sound.adamw(team, a);
    if (rank && a->n >= width) a->w[0] += 1e-6f;
}

struct fault {
    const char *name, *family;
    int tp, sp, zero, pp, vp, cp, ep;
    struct comm_ops group[FAULT_GROUPS]; /* functions that are not NULL take the place of the group's own */
    struct kernel_ops kernels;
    bool late;      /* zero-bubble */
    bool seeded;    /* the last rank starts with another seed */
    const char *at; /* where it must be found */
};
#define IN(which, field, function) .group[which] = {.field = function}
#define KERNEL(field, function) .kernels = {.field = function}

/* Functions of `with` that are not NULL go into *table. */
static inline void replace(void *table, const void *with, size_t size) {
    void (*f)(void);
    for (size_t at = 0; at + sizeof f <= size; at += sizeof f) {
        memcpy(&f, (const char *)with + at, sizeof f);
        if (f) memcpy((char *)table + at, &f, sizeof f);
    }
}

/* A group whose table is replaced; restored before it is closed. */
struct swap {
    struct comm *group;
    struct comm_ops table;
};
static inline void swap_in(struct swap *s, struct comm *group, const struct comm_ops *with,
                           const struct comm_ops **before) {
    *s = (struct swap){.group = group};
    if (!group) return;
    *before = group->ops;
    s->table = *group->ops;
    replace(&s->table, with, sizeof *with);
    group->ops = &s->table;
}

static inline void must(struct agreed *a, int code, const struct base_error *e) {
    if (!code) return;
    fprintf(stderr, "rank %d: %s\n", a->world.rank, e->text);
    comm_abort(&a->world, code);
}

static inline struct plan_request fault_request(const struct agreed *a, const struct fault *f,
                                                enum kernel_dtype dtype) {
    const struct model_config c = rig_config_of(f->family, 2, 64, 4, 256, 128);
    struct plan_request q = rig_request(&c, dtype, 64, 2, 1);
    const int pp = f->pp ? f->pp : 1, cp = f->cp ? f->cp : 1;
    q.layout.tp = f->tp, q.layout.cp = cp, q.layout.pp = pp, q.layout.dp = a->world.size / f->tp / cp / pp;
    if (f->vp) q.layout.vp = f->vp;
    if (f->late) q.layout.schedule = PLAN_ZERO_BUBBLE;
    q.layout.sequence_parallel = f->sp, q.layout.zero = f->zero, q.layout.ep = f->ep;
    q.rank = a->world.rank;
    q.global_batch = 4 * pp * q.layout.dp;
    return gate_shrink(&q);
}

static inline struct gate judge(struct agreed *a, const struct fault *f, enum kernel_dtype dtype) {
    const struct plan_request q = fault_request(a, f, dtype);
    struct parallel_engine g;
    struct swap swaps[FAULT_GROUPS];
    struct comm counted;
    struct comm_counter counter;
    struct base_error e = {0};
    struct kernel_ops ops;
    struct gate gate;
    struct plan plan;
    kernel_select(&sound, kernel_isa_best(), KERNEL_BACKEND_TOISE);
    ops = sound;
    replace(&ops, &f->kernels, sizeof ops);
    width = q.config.width, calls = 0;
    rank = a->world.rank % f->tp, rank_of_world = a->world.rank;
    last_stage = q.layout.pp > 1 && a->world.rank >= (q.layout.pp - 1) * f->tp * q.layout.dp;
    gate_clear(&gate);
    must(a, plan_make(&plan, &q, &e), &e);
    layers = plan.part.layers;
    comm_count_wrap(&counted, &counter, &a->world, COMM_FORWARD);
    must(a, parallel_open(&g, &plan, &counted, &ops, &e), &e);
    struct comm *const groups[FAULT_GROUPS] = {
        g.groups.tensor, g.groups.data,    g.groups.sharing, g.groups.stages,
        g.groups.ends,   g.groups.context, g.groups.experts, g.groups.experts ? g.groups.same_experts : NULL};
    for (int i = 0; i < FAULT_GROUPS; i++) swap_in(&swaps[i], groups[i], &f->group[i], &own[i]);
    must(a, gate_path_on(&gate, &g, 7 + (f->seeded && a->world.rank == a->world.size - 1), &e), &e);
    for (int i = 0; i < FAULT_GROUPS; i++)
        if (groups[i]) groups[i]->ops = own[i];
    parallel_close(&g);
    return gate;
}

/* All faults, in both precisions. Returns the exit code. */
static inline int judge_all(struct agreed *a, const struct fault *faults, size_t count) {
    double most = 0, least = INFINITY;
    for (size_t i = 0; i < count; i++)
        for (int dtype = 0; dtype < KERNEL_DTYPE_COUNT; dtype++) {
            const struct fault *f = &faults[i];
            const bool healthy = !strcmp(f->name, "healthy");
            const struct gate gate = judge(a, f, (enum kernel_dtype)dtype);
            double worst = 0;
            int check = 0;
            char what[256];
            for (int k = 0; k < CHECK_COUNT; k++)
                if (gate.residual[k] > worst) worst = gate.residual[k], check = k;
            snprintf(what, sizeof what, "%s, %s, %s, TP %d%s, CP %d, PP %d, EP %d, ZeRO %d: %.4g: %.90s", f->name,
                     f->family, dtype == KERNEL_F32 ? "fp32" : "bf16", f->tp, f->sp ? " SP" : "", f->cp ? f->cp : 1,
                     f->pp ? f->pp : 1, f->ep ? f->ep : 1, f->zero, worst, gate.where[check]);
            if (!a->world.rank && getenv("SHOW")) puts(what);
            agreed_check(a, healthy ? worst < CHECK_THRESHOLD / 4 : worst > 10 * CHECK_THRESHOLD, what);
            agreed_check(a, !f->at || strstr(gate.where[check], f->at), what);
            if (healthy)
                most = fmax(most, worst);
            else
                least = fmin(least, worst);
        }
    if (!a->world.rank) printf("most healthy residual %.3g, least faulty %.4g\n", most, least);
    return agreed_close(a);
}

#endif
