/* SPDX-License-Identifier: Apache-2.0
 *
 * Known numbers through every collective, and how often each runs. */
#include "gate/collectives.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/count.h"

enum { GROUPS = PARALLEL_GROUPS, KINDS = GATE_KINDS };
static const struct {
    const char *name;
    enum comm_op op;
} kinds[KINDS] = {{"all_reduce", COMM_ALL_REDUCE_START}, {"reduce_scatter", COMM_REDUCE_SCATTER_START},
                  {"all_gather", COMM_ALL_GATHER_START}, {"send", COMM_SEND_START},
                  {"all_to_all", COMM_ALL_TO_ALL_START}, {"all_to_all_v", COMM_ALL_TO_ALL_V_START}};

/* Number i of `low`..`high` that must be on this rank after an operation. Of an all-to-all it has its block of each
 * rank's numbers, one after the other. */
static double expected(const struct comm *c, const char *op, int64_t n, int64_t i, double first) {
    int owner = 0;
    if (!strcmp(op, "send")) return gate_known(i, (c->rank + c->size - 1) % c->size);
    if (!strcmp(op, "all_gather")) {
        while (comm_block(n, c->size, owner + 1) <= i) owner++;
        return gate_known(i, owner);
    }
    const int64_t low = comm_block(n, c->size, c->rank), own = comm_block(n, c->size, c->rank + 1) - low;
    if (!strncmp(op, "all_to_all", 10)) return gate_known(low + i % own, (int)(i / own));
    return gate_known_sum(first, i, c->size);
}

/* Numbers in [low, high) that are not what they must be on this rank. */
static int64_t count_wrong(const struct comm *c, const char *op, const float *x, int64_t n, int64_t low, int64_t high) {
    const double first = gate_known_first(c->size);
    int64_t wrong = 0;
    for (int64_t i = low; i < high; i++) wrong += x[i] != expected(c, op, n, i, first);
    return wrong;
}

/* Sends to the next rank, and receives from the one before. */
static void shift(struct comm *c, const float *x, float *from, int64_t n) {
    struct comm_request come, go;
    const int before = (c->rank + c->size - 1) % c->size, after = (c->rank + 1) % c->size, tag = COMM_TAGS - 1;
    c->ops->receive_start(c, from, (size_t)n * sizeof *x, before, tag, &come);
    c->ops->send_start(c, x, (size_t)n * sizeof *x, after, tag, &go);
    c->ops->wait(c, &come), c->ops->wait(c, &go);
}

/* Sends each rank its block of n numbers; returns how many come. */
static int64_t shuffle(struct comm *c, const char *op, const float *x, float *from, int64_t n) {
    struct comm_request request;
    const int64_t own = comm_block(n, c->size, c->rank + 1) - comm_block(n, c->size, c->rank);
    int64_t *bytes = malloc(2 * (size_t)c->size * sizeof *bytes);
    if (!bytes) comm_abort(c, BASE_BROKEN);
    for (int r = 0; r < c->size; r++) {
        bytes[r] = (comm_block(n, c->size, r + 1) - comm_block(n, c->size, r)) * (int64_t)sizeof *x;
        bytes[c->size + r] = own * (int64_t)sizeof *x;
    }
    if (!strcmp(op, "all_to_all"))
        c->ops->all_to_all_start(c, x, from, (size_t)(n / c->size) * sizeof *x, &request);
    else
        c->ops->all_to_all_v_start(c, x, bytes, from, bytes + c->size, &request);
    c->ops->wait(c, &request);
    free(bytes);
    return own * c->size;
}

/* Runs one collective of n numbers. x: room for twice as many and one for each rank. */
static void check(struct gate *gate, const struct parallel_engine *g, struct comm *c, const char *group, const char *op,
                  const char *purpose, int64_t n, float *x) {
    struct comm_request request;
    const bool scatter = !strcmp(op, "reduce_scatter"), gather = !strcmp(op, "all_gather"), send = !strcmp(op, "send");
    const bool all = !strncmp(op, "all_to_all", 10);
    int64_t come = n;
    const int64_t low = comm_block(n, c->size, c->rank), high = comm_block(n, c->size, c->rank + 1);
    for (int64_t i = 0; i < n; i++)
        x[i] = gather && (i < low || i >= high) ? 0 : (float)gate_known(i, c->rank), x[n + i] = 0;
    if (send)
        shift(c, x, x + n, n);
    else if (all)
        come = shuffle(c, op, x, x + n, n);
    else if (scatter)
        c->ops->reduce_scatter_start(c, x, n, KERNEL_F32, &request), c->ops->wait(c, &request);
    else if (gather)
        c->ops->all_gather_start(c, x, n, sizeof *x, &request), c->ops->wait(c, &request);
    else
        c->ops->all_reduce_start(c, x, n, KERNEL_F32, &request), c->ops->wait(c, &request);
    const int64_t wrong = count_wrong(c, op, send || all ? x + n : x, n, scatter ? low : 0, scatter ? high : come);
    char where[96];
    snprintf(where, sizeof where, "%s of %s on rank %d: %.40s", op, group, g->world->rank, purpose);
    gate_note(gate, CHECK_SUMS, wrong ? INFINITY : 0, wrong ? where : "");
}

void gate_collectives(struct gate *gate, struct parallel_engine *g) {
    const struct plan_ledger *l = &g->plan->ledger;
    const struct model *m = &g->model;
    const int64_t stream = (model_own_tokens(m) * m->shape.config->width * (int64_t)kernel_dtype_bytes(m->shape.dtype));
    int64_t most = stream / 4 > g->tied.count ? stream / 4 : g->tied.count;
    for (int i = 0; i < l->count; i++)
        if (l->ops[i].kind == PLAN_MESSAGE && l->ops[i].bytes > 4 * (double)most) most = (int64_t)(l->ops[i].bytes / 4);
    float *x = malloc((size_t)(2 * most + 2 + g->world->size) * sizeof *x);
    if (!x) comm_abort(g->world, BASE_BROKEN);
    for (int i = 0; i < l->count; i++)
        for (int k = 0; k < GROUPS; k++) {
            const struct parallel_group group = parallel_group(&g->groups, k);
            const struct plan_op *op = &l->ops[i];
            if (group.axis == PLAN_PP) continue; /* stages have different messages */
            if (op->kind == PLAN_MESSAGE && group.comm && !strcmp(op->group, group.name))
                check(gate, g, group.comm, op->group, op->op, op->name, (int64_t)(op->bytes / 4), x);
        }
    if (g->groups.stages) check(gate, g, g->groups.stages, "pp", "send", "activations", stream / 4, x);
    if (g->tied.comm) check(gate, g, g->tied.comm, "ends", "send", "tied token table", g->tied.count, x);
    if (g->tied.comm)
        check(gate, g, g->tied.comm, "ends", g->tied.replicas ? "send" : "all_reduce", "tied token table's gradient",
              g->tied.count, x);
    free(x);
}

void gate_count_begin(struct parallel_engine *g) {
    for (int i = 0; i < GROUPS; i++) {
        const struct comm *group = parallel_group(&g->groups, i).comm;
        struct comm_counter *k = group ? comm_counter_of(group) : NULL;
        if (k) memset(k->op, 0, sizeof k->op);
    }
    g->experts.surplus = 0;
}

void gate_count_end(struct gate_count *count, const struct parallel_engine *g) {
    count->surplus += g->experts.surplus;
    for (int i = 0; i < GROUPS * KINDS; i++) {
        const struct comm *group = parallel_group(&g->groups, i / KINDS).comm;
        const struct comm_counter *k = group ? comm_counter_of(group) : NULL;
        if (!k) continue;
        count->calls[i / KINDS][i % KINDS] += (double)k->op[kinds[i % KINDS].op].calls;
        count->bytes[i / KINDS][i % KINDS] += (double)k->op[kinds[i % KINDS].op].bytes;
    }
}

void gate_count_check(struct gate *gate, const struct gate_count *count, const struct parallel_engine *g) {
    const struct plan_ledger *l = &g->plan->ledger;
    for (int i = 0; i < GROUPS * KINDS; i++) {
        const struct parallel_group each = parallel_group(&g->groups, i / KINDS);
        const struct comm *group = each.comm;
        const double ran = count->calls[i / KINDS][i % KINDS], sent = count->bytes[i / KINDS][i % KINDS];
        double calls = 0, bytes = 0;
        char where[96];
        if (!group || group->size == 1 || !comm_counter_of(group)) continue; /* alone, a rank sends nothing */
        for (int k = 0; k < l->count; k++) {
            const struct plan_op *op = &l->ops[k];
            if (op->kind != PLAN_MESSAGE || strcmp(op->op, kinds[i % KINDS].name) || strcmp(op->group, each.name))
                continue;
            calls += op->count, bytes += op->count * op->bytes;
        }
        if (each.axis == PLAN_EP && kinds[i % KINDS].op == COMM_ALL_TO_ALL_V_START) bytes += count->surplus;
        const bool same = ran == calls && sent == bytes;
        snprintf(where, sizeof where, "%s of %s on rank %d: %.0f of %.0f, %.0f of %.0f bytes", kinds[i % KINDS].name,
                 each.name, g->world->rank, ran, calls, sent, bytes);
        gate_note(gate, CHECK_SUMS, same ? 0 : INFINITY, same ? "" : where);
    }
}
