/* SPDX-License-Identifier: Apache-2.0
 * check: ranks 2 3 4
 * check: timeout 300
 *
 * The gate over ranks, whether a tied token table's gradient is summed as a whole or in two parts. Over 20 seeds (5
 * without CHECK_FULL), correct runs stay below a quarter of the threshold. Each fault exceeds it tenfold. A sum may
 * lack a rank, be taken for the mean, or be wrong on one rank. A message may be lost, a rank be stale or have another
 * seed. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gate/gate.h"
#include "mpi/support/agreed.h"
#include "unit/support/effort.h"
#include "unit/support/rig.h"

enum { SEEDS = 20, FEW = 5 };
enum fault {
    HEALTHY,
    RANK_DROPPED,
    SUM_FOR_MEAN,
    MESSAGE_LOST,
    SUM_ASTRAY,
    RANK_STALE,
    RANK_SEEDED,
    ROWS_LOST, /* where they are gathered */
    TOKENS_MIXED,
    FAULTS
};
static const char *const names[FAULTS] = {"healthy",
                                          "rank dropped",
                                          "sum for mean",
                                          "message lost",
                                          "one rank's sum astray",
                                          "rank stale",
                                          "rank with another seed",
                                          "one rank's rows lost",
                                          "tokens of two rows mixed up"};

static const struct comm_ops *honest; /* the comm that faulty sums forward to */
static const struct kernel_ops *sound;
static int messages;
static float *last_sum;

static void sum_dropped(struct comm *c, void *buffer, int64_t count, enum kernel_dtype dtype,
                        struct comm_request *request) {
    if (c->rank == c->size - 1) memset(buffer, 0, (size_t)count * kernel_dtype_bytes(dtype));
    honest->all_reduce_start(c, buffer, count, dtype, request);
}
static void sum_for_mean(struct comm *c, void *buffer, int64_t count, enum kernel_dtype dtype,
                         struct comm_request *request) {
    float *x = buffer;
    for (int64_t i = 0; i < count; i++) x[i] *= (float)c->size;
    honest->all_reduce_start(c, buffer, count, dtype, request);
}
static void sum_lost(struct comm *c, void *buffer, int64_t count, enum kernel_dtype dtype,
                     struct comm_request *request) {
    *request = (struct comm_request){0};
    if (messages++) honest->all_reduce_start(c, buffer, count, dtype, request);
}
static void wait_lost(struct comm *c, struct comm_request *request) {
    if (request->active) honest->wait(c, request);
}
/* The loss is summed after all gradients; by then one gradient on the last rank is corrupted. */
static void sum_noted(struct comm *c, void *buffer, int64_t count, enum kernel_dtype dtype,
                      struct comm_request *request) {
    last_sum = buffer;
    honest->all_reduce_start(c, buffer, count, dtype, request);
}
static void sum_astray(struct comm *c, double *x, int n) {
    honest->sum(c, x, n);
    if (last_sum && c->rank == c->size - 1) *last_sum = -*last_sum - 1;
    last_sum = NULL;
}
/* Rows of the last rank arrive as zeros. */
static void rows_lost(struct comm *c, void *buffer, int64_t count, int unit, struct comm_request *request) {
    const int64_t first = comm_block(count, c->size, c->rank), mine = comm_block(count, c->size, c->rank + 1) - first;
    if (unit > (int)sizeof(int32_t) && c->rank == c->size - 1)
        memset((char *)buffer + first * unit, 0, (size_t)(mine * unit));
    honest->all_gather_start(c, buffer, count, unit, request);
}
/* All ranks get the same wrong tokens: their bits agree. */
static void tokens_mixed(struct comm *c, void *buffer, int64_t count, int unit, struct comm_request *request) {
    int32_t *token = buffer;
    const int64_t first = comm_block(count, c->size, c->rank);
    if (unit == (int)sizeof(int32_t) && c->rank == c->size - 1) token[first] = !token[first];
    honest->all_gather_start(c, buffer, count, unit, request);
}
/* Updates all tensors but one */
static void adamw_stale(const struct kernel_team *team, const struct kernel_adamw *a) {
    if (messages++ != 5) sound->adamw(team, a);
}

/* Runs the gate's small model of a tiny model over this world, with one fault. All ranks return the same residuals. */
static struct gate gate_of(struct agreed *a, const char *family, enum kernel_dtype dtype, enum plan_rows rows,
                           enum fault fault, uint64_t seed) {
    const struct model_config c = rig_config_of(family, 2, 64, 4, 256, 128);
    const bool last = a->world.rank == a->world.size - 1;
    struct comm_ops sums = *a->world.ops;
    struct comm world = a->world;
    struct kernel_ops ops;
    struct plan_request q = rig_request(&c, dtype, 64, 2, 2 * a->world.size);
    struct plan plan;
    struct parallel_engine engine;
    struct gate gate;
    struct base_error e = {0};
    q.layout.dp = world.size;
    q.rank = world.rank;
    q.rows = rows;
    q = gate_shrink(&q);
    kernel_select(&ops, kernel_isa_best(), KERNEL_BACKEND_TOISE);
    const struct kernel_ops healthy = ops;
    honest = a->world.ops;
    sound = &healthy;
    messages = 0;
    if (fault == RANK_DROPPED) sums.all_reduce_start = sum_dropped;
    if (fault == SUM_FOR_MEAN) sums.all_reduce_start = sum_for_mean;
    if (fault == MESSAGE_LOST) sums.all_reduce_start = sum_lost, sums.wait = wait_lost;
    if (fault == SUM_ASTRAY) sums.all_reduce_start = sum_noted, sums.sum = sum_astray;
    if (fault == ROWS_LOST) sums.all_gather_start = rows_lost;
    if (fault == TOKENS_MIXED) sums.all_gather_start = tokens_mixed;
    if (fault == RANK_STALE && last) ops.adamw = adamw_stale;
    world.ops = &sums;
    gate_clear(&gate);
    int code = plan_make(&plan, &q, &e);
    if (!code) code = parallel_open(&engine, &plan, &world, &ops, &e);
    if (!code) code = gate_path_on(&gate, &engine, seed + (fault == RANK_SEEDED && last), &e);
    if (code) {
        fprintf(stderr, "rank %d: %s\n", world.rank, e.text);
        comm_abort(&a->world, code);
    }
    parallel_close(&engine);
    return gate;
}

static double worst_of(const struct gate *gate) {
    double worst = 0;
    for (int i = 0; i < CHECK_COUNT; i++)
        if (!isnan(gate->residual[i])) worst = fmax(worst, gate->residual[i]);
    return worst;
}

/* The extremes of all residuals. */
struct margins {
    double most, least, dropped;
};

static void judge(struct agreed *a, const char *family, enum kernel_dtype dtype, enum plan_rows rows, enum fault fault,
                  int seed, struct margins *margins) {
    const struct gate gate = gate_of(a, family, dtype, rows, fault, 100 * (uint64_t)seed);
    const double worst = worst_of(&gate);
    char what[160];
    snprintf(what, sizeof what, "%s, %s, %s, rows %s, seed %d: worst residual %.4g", names[fault], family,
             dtype == KERNEL_F32 ? "fp32" : "bf16", rows == PLAN_ROWS_APART ? "apart" : "together", seed, worst);
    if (fault == RANK_DROPPED) margins->dropped = fmin(margins->dropped, gate.residual[CHECK_GRADIENTS]);
    const bool good = fault == HEALTHY ? worst < CHECK_THRESHOLD / 4 : worst > CHECK_THRESHOLD * 10;
    agreed_check(a, good && gate_passed(&gate) == (fault == HEALTHY), what);
    agreed_check(a, agreed_same(a, agreed_hash(&worst, sizeof worst)), "all ranks agree");
    if (fault == HEALTHY)
        margins->most = fmax(margins->most, worst);
    else
        margins->least = fmin(margins->least, worst);
}

static void judge_all(struct agreed *a, const char *family, enum kernel_dtype dtype, enum plan_rows rows, bool all,
                      struct margins *m) {
    for (int fault = 0; fault < (rows == PLAN_ROWS_APART ? FAULTS : ROWS_LOST); fault++) {
        const int seeds = !all ? (fault == HEALTHY ? FEW : 1) : fault == HEALTHY ? SEEDS : FEW;
        for (int seed = 1; seed <= seeds; seed++) judge(a, family, dtype, rows, (enum fault)fault, seed, m);
    }
}

int main(void) {
    struct agreed a;
    const bool all = effort_full() && !SANITIZED;
    agreed_open(&a);
    if (!a.world.rank && !all)
        printf("SKIP: the gate over ranks on all seeds: only with CHECK_FULL set, without sanitizers\n");
    for (int f = 0; f < RIG_FAMILIES; f++) {
        struct margins m = {0, INFINITY, INFINITY};
        for (int dtype = 0; dtype < KERNEL_DTYPE_COUNT; dtype++) {
            judge_all(&a, rig_families[f], (enum kernel_dtype)dtype, PLAN_ROWS_TOGETHER, all, &m);
            if (model_family_find(rig_families[f])->tied)
                judge_all(&a, rig_families[f], (enum kernel_dtype)dtype, PLAN_ROWS_APART, all, &m);
        }
        if (a.world.rank) continue;
        printf("%d ranks, %s: worst healthy residual %.3g (under %g), least faulty %.4g (over %g); gradients of a "
               "dropped rank %.4g\n",
               a.world.size, rig_families[f], m.most, CHECK_THRESHOLD / 4, m.least, CHECK_THRESHOLD * 10, m.dropped);
    }
    return agreed_close(&a);
}
