/* SPDX-License-Identifier: Apache-2.0
 * check: ranks 2 3 4
 * check: timeout 400
 *
 * The benchmark of operations between ranks. Right results have a time; wrong ones FAIL on all ranks and have none,
 * whichever operation lies, whether it changes an element, does nothing, or starts to lie while it is timed. Also
 * groups, the slow-down of overlapped compute, and the figures of the records. */
#include <math.h>
#include <string.h>

#include "collectives/record.h"
#include "comm/count.h"
#include "mpi/support/agreed.h"
#include "records/get.h"

static const double factors[][COLLECTIVES_OPS] = {
    [2] = {1, 0.5, 0.5, 1, 0.5, 1, 1},
    [3] = {4.0 / 3, 2.0 / 3, 2.0 / 3, 1, 2.0 / 3, 1, 1},
    [4] = {1.5, 0.75, 0.75, 1, 0.75, 1, 1},
};

/* A world in which rank 1, after waiting, finds the first element of a result changed, from the call `honest` on. */
static const struct comm_ops *right;
static float *last;
static int honest;
static void noted(void *x) {
    last = honest-- > 0 ? NULL : x;
}
static void lie_all_reduce(struct comm *c, void *x, int64_t count, enum kernel_dtype dtype, struct comm_request *r) {
    noted(x);
    right->all_reduce_start(c, x, count, dtype, r);
}
static void lie_reduce_scatter(struct comm *c, void *x, int64_t count, enum kernel_dtype dtype,
                               struct comm_request *r) {
    noted((float *)x + comm_block(count, c->size, c->rank));
    right->reduce_scatter_start(c, x, count, dtype, r);
}
static void lie_all_gather(struct comm *c, void *x, int64_t count, int unit, struct comm_request *r) {
    noted(x);
    right->all_gather_start(c, x, count, unit, r);
}
static void lie_broadcast(struct comm *c, void *x, size_t bytes, int root, struct comm_request *r) {
    noted(x);
    right->broadcast_start(c, x, bytes, root, r);
}
static void lie_all_to_all(struct comm *c, const void *to, void *from, size_t bytes, struct comm_request *r) {
    noted(from);
    right->all_to_all_start(c, to, from, bytes, r);
}
static void lie_receive(struct comm *c, void *x, size_t bytes, int from, int tag, struct comm_request *r) {
    noted(x);
    right->receive_start(c, x, bytes, from, tag, r);
}
static void lie_wait(struct comm *c, struct comm_request *r) {
    right->wait(c, r);
    if (c->rank == 1 && last) *last += 1;
    last = NULL;
}

static double at(const json_t *array, size_t i) {
    return json_number_value(json_array_get(array, i));
}
static struct record_launch launch = {.id = "id"};
static struct measure_origin origin_of(struct agreed *a) {
    launch.nodes = a->world.nodes;
    return (struct measure_origin){&launch, a->world.size, 1, "--threads", json_object()};
}
static struct collectives_group all_of(struct agreed *a) {
    struct collectives_group g;
    struct base_error e;
    agreed_check(a, collectives_group_open(&g, &a->world, COLLECTIVES_ALL, &e) == BASE_OK, "the group of all");
    return g;
}

static void overlapped(struct agreed *a, const struct collectives_size *s, const json_t *r) {
    const double hidden = record_real(r, "hidden"), cost = record_real(r, "cost_s"), time = record_real(r, "time_s");
    agreed_check(a, (s->pairs > 0) == !isnan(cost), "a cost where compute was beside it");
    agreed_check(a, !s->pairs || (record_real(r, "cost_s_low") <= cost && cost <= record_real(r, "cost_s_high")),
                 "cost");
    const double left = fmin(1, fmax(0, 1 - cost / time));
    agreed_check(a, isnan(hidden) || fabs(hidden - left) < 1e-9, "hidden is what cost leaves, from 0 to 1");
}

static void recorded(struct agreed *a, int kind, const struct collectives_size *s) {
    const struct measure_origin origin = origin_of(a);
    json_t *record = collectives_record(s, &origin);
    const json_t *r = json_object_get(record, "result"), *samples = json_object_get(record, "samples");
    const double time = record_real(r, "time_s"), bus = record_real(r, "busbw_byte_per_s"), bytes = (double)s->bytes;
    agreed_check(a, fabs(record_real(r, "algbw_byte_per_s") * time / bytes - 1) < 1e-12, "algbw");
    agreed_check(a, fabs(bus * time / bytes - factors[a->world.size][kind]) < 1e-12, "busbw");
    const json_t *times = json_object_get(samples, "time_s"), *single = json_object_get(samples, "iteration_s");
    agreed_check(a, json_array_size(times) == (size_t)s->timed.samples.count && at(times, 0) > 0,
                 "all samples are kept");
    agreed_check(a, (s->timed.calls > 1) == (json_array_size(single) >= 20), "and calls one by one");
    const double low = record_real(r, "min_s"), p99 = record_real(r, "p99_s"), high = record_real(r, "max_s");
    agreed_check(a, 0 < low && low <= p99 && p99 <= high && record_real(r, "cv") >= 0, "what single calls took");
    agreed_check(a, !strcmp(record_text(r, "op"), collectives_op_name(kind)) && record_whole(r, "bytes") == s->bytes,
                 "the operation");
    overlapped(a, s, r);
    json_decref(record);
    json_decref(origin.machine);
}

static void measured(struct agreed *a, struct collectives *b, const struct collectives_options *o) {
    struct collectives_group all = all_of(a);
    struct base_error e;
    for (int i = 0; i < COLLECTIVES_OPS * o->sizes; i++) {
        static struct collectives_size s;
        const int kind = i / o->sizes;
        const int64_t bytes = collectives_op_bytes(&collectives_ops[kind], o->bytes[i % o->sizes], a->world.size);
        if (kind && i % o->sizes == o->sizes - 1) continue; /* the largest takes time */
        const int code = collectives_measure(b, (enum collectives_kind)kind, &all, bytes, o, &s, &e);
        agreed_check(a, code == BASE_OK, "a size is measured");
        agreed_check(a, s.wrong == 0 && s.status != RECORD_FAILED && s.timed.call.median > 0, s.op->name);
        uint64_t bits[2];
        memcpy(&bits[0], &s.timed.call.median, sizeof bits[0]);
        memcpy(&bits[1], &s.p99_s, sizeof bits[1]);
        agreed_check(a, agreed_same(a, bits[0]) && agreed_same(a, bits[1]), "the same times on all ranks");
        agreed_check(a, kind || i < o->sizes - 1 || s.pairs > 0, "the largest is measured beside compute");
        recorded(a, kind, &s);
        measure_samples_close(&s.timed.samples);
    }
    collectives_group_close(&all);
}

static void share(struct agreed *a, struct collectives *b) {
    struct collectives_share s;
    collectives_measure_share(b, &s);
    agreed_check(a, s.matmul > 0.05 && s.matmul < 3 && s.pass > 0.05 && s.pass < 3, "what ranks leave each other");
    for (int i = 0; i < s.rounds; i++)
        agreed_check(a, s.matmul_alone[i] > 1e7 && s.pass_together[i] > 1e7, "a round has rates");
}

/* The operation is FAILED on all ranks, with at least `least` wrong elements, and its record has nothing to rate it. */
static void fails(struct agreed *a, struct collectives *b, const struct collectives_options *o, int kind,
                  double least) {
    const struct measure_origin origin = origin_of(a);
    struct collectives_group all = all_of(a);
    static struct collectives_size s;
    struct base_error e;
    const int64_t bytes = collectives_op_bytes(&collectives_ops[kind], o->bytes[0], a->world.size);
    const int code = collectives_measure(b, (enum collectives_kind)kind, &all, bytes, o, &s, &e);
    agreed_check(a, code == BASE_OK && s.status == RECORD_FAILED && s.wrong >= least, s.op->name);
    json_t *record = collectives_record(&s, &origin);
    const json_t *r = json_object_get(record, "result");
    agreed_check(a, !strcmp(record_text(record, "status"), "FAILED") && isnan(record_real(r, "time_s")),
                 "without a time");
    agreed_check(a, isnan(record_real(r, "min_s")) && !json_object_size(json_object_get(record, "samples")),
                 "or samples to make one of");
    json_decref(record);
    json_decref(origin.machine);
    measure_samples_close(&s.timed.samples);
    collectives_group_close(&all);
}

static void faulty(struct agreed *a, struct collectives *b, const struct collectives_options *o) {
    struct comm_ops wrong = *a->world.ops;
    struct comm counted;
    struct comm_counter counter;
    right = a->world.ops;
    wrong.all_reduce_start = lie_all_reduce;
    wrong.reduce_scatter_start = lie_reduce_scatter;
    wrong.all_gather_start = lie_all_gather;
    wrong.broadcast_start = lie_broadcast;
    wrong.all_to_all_start = lie_all_to_all;
    wrong.receive_start = lie_receive;
    wrong.wait = lie_wait;
    for (int kind = 0; kind < COLLECTIVES_OPS; kind++) {
        a->world.ops = &wrong;
        honest = 0;
        fails(a, b, o, kind, 1);
        honest = 3; /* right when checked, and wrong while and after being timed */
        fails(a, b, o, kind, 1);
        a->world.ops = right;
    }
    /* nothing is sent */
    struct comm kept = a->world;
    comm_count_wrap(&counted, &counter, &kept, COMM_NULL_SUMS);
    a->world = counted;
    for (int kind = 0; kind < COLLECTIVES_OPS; kind++) fails(a, b, o, kind, 2);
    a->world = kept;
}

/* Groups hold the ranks that they say, and operations in them are right; ranks outside wait. */
static void groups(struct agreed *a, struct collectives *b, const struct collectives_options *o) {
    const unsigned differ = collectives_groups_of(&a->world);
    const bool apart = a->world.nodes > 1 && a->world.nodes < a->world.size;
    agreed_check(a, differ == (apart ? 7u : 1u), "the groups that differ");
    for (int scope = 0; scope < COLLECTIVES_SCOPES; scope++) {
        static struct collectives_size s;
        struct collectives_group g;
        struct base_error e = {0};
        double widest = a->world.local_size;
        a->world.ops->max(&a->world, &widest, 1);
        const int code = collectives_group_open(&g, &a->world, (enum collectives_scope)scope, &e);
        const bool none =
            (scope == COLLECTIVES_INTRA && widest < 2) || (scope == COLLECTIVES_INTER && a->world.nodes < 2);
        agreed_check(a, code == (none ? BASE_USAGE : BASE_OK), "a group that these ranks have or lack");
        if (code) continue;
        const int mine = scope == COLLECTIVES_ALL     ? a->world.size
                         : scope == COLLECTIVES_INTRA ? a->world.local_size
                         : a->world.local_rank == 0   ? a->world.nodes
                                                      : 0;
        agreed_check(a, g.comm->size == mine, "its ranks");
        for (int kind = 0; kind < COLLECTIVES_OPS; kind++) {
            const int64_t bytes = collectives_op_bytes(&collectives_ops[kind], 4096, g.ranks);
            agreed_check(a, collectives_measure(b, (enum collectives_kind)kind, &g, bytes, o, &s, &e) == BASE_OK,
                         "an operation in a group");
            agreed_check(a, s.wrong == 0 && s.timed.call.median > 0, s.op->name);
            measure_samples_close(&s.timed.samples);
        }
        collectives_group_close(&g);
    }
}

int main(void) {
    struct collectives_options o = {
        .ops = 127, .bytes = {64, 100 << 10, 24 << 20}, .sizes = 3, .seconds = 0.03, .width = 1};
    const struct measure_placement placement = {.cpus = {.count = 1}, .threads = 1, .cpus_per_thread = 1};
    const struct kernel_caches caches = {32 << 10, 512 << 10, 1 << 20};
    struct collectives bench;
    struct base_error e;
    struct agreed a;
    agreed_open(&a);
    const int code = collectives_open(&bench, &a.world, &o, &placement, &caches, &e);
    agreed_check(&a, code == BASE_OK, "opened");
    if (!code) {
        measured(&a, &bench, &o);
        share(&a, &bench);
        o.seconds = 0.01;
        faulty(&a, &bench, &o);
        groups(&a, &bench, &o);
    }
    collectives_close(&bench);
    return agreed_close(&a);
}
