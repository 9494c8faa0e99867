/* SPDX-License-Identifier: Apache-2.0
 * check: ranks 2 4
 * check: timeout 400
 *
 * The all-reduce benchmark. Correct sums have a time; corrupted sums FAIL on all ranks and have none. Also the
 * slow-down of overlapped compute, and the figures of the records. */
#include <math.h>
#include <string.h>

#include "collectives/record.h"
#include "mpi/support/agreed.h"
#include "records/get.h"

/* A world in which rank 1, after waiting, finds one element changed. */
static const struct comm_ops *right;
static float *last;
static void faulty_start(struct comm *c, float *x, int64_t count, struct comm_request *r) {
    last = x;
    right->all_reduce_start(c, x, count, r);
}
static void faulty_wait(struct comm *c, struct comm_request *r) {
    right->wait(c, r);
    if (c->rank == 1) last[3] += 1;
}

static double at(const json_t *array, size_t i) {
    return json_number_value(json_array_get(array, i));
}

static void measured(struct agreed *a, struct collectives *b, const struct collectives_options *o) {
    const struct record_launch launch = {.id = "id", .job = "id", .nodes = a->world.nodes};
    const struct measure_origin origin = {&launch, a->world.size, 1, "--threads", json_object()};
    struct collectives_size s;
    struct base_error e;
    for (int i = 0; i < o->sizes; i++) {
        const double bytes = (double)o->bytes[i], ranks = a->world.size;
        agreed_check(a, collectives_measure(b, o->bytes[i], o, &s, &e) == BASE_OK, "a size is measured");
        agreed_check(a, s.wrong == 0 && s.status != RECORD_FAILED && s.timed.samples.count >= 6, "its sum is right");
        agreed_check(a,
                     s.timed.call.median > 0 && s.timed.call.low <= s.timed.call.median &&
                         s.timed.call.median <= s.timed.call.high,
                     "its time");
        uint64_t bits;
        memcpy(&bits, &s.timed.call.median, sizeof bits);
        agreed_check(a, agreed_same(a, bits), "the same time on all ranks");
        json_t *record = collectives_record(&s, &origin);
        const json_t *r = json_object_get(record, "result"), *samples = json_object_get(record, "samples");
        const double time = record_real(r, "time_s"), bus = record_real(r, "busbw_byte_per_s");
        agreed_check(a, fabs(record_real(r, "algbw_byte_per_s") * time / bytes - 1) < 1e-12, "algbw");
        agreed_check(a, fabs(bus * time / bytes - 2 * (ranks - 1) / ranks) < 1e-12, "busbw");
        const json_t *times = json_object_get(samples, "time_s");
        agreed_check(a, json_array_size(times) == (size_t)s.timed.samples.count && at(times, 0) > 0,
                     "all samples are kept");
        const double hidden = record_real(r, "hidden"), cost = record_real(r, "cost_s");
        agreed_check(a, (s.pairs > 0) == !isnan(cost), "a cost where compute was beside it");
        agreed_check(a, !s.pairs || (record_real(r, "cost_s_low") <= cost && cost <= record_real(r, "cost_s_high")),
                     "cost");
        const double left = fmin(1, fmax(0, 1 - cost / time));
        agreed_check(a, isnan(hidden) || fabs(hidden - left) < 1e-9, "hidden is what cost leaves, from 0 to 1");
        json_decref(record);
        measure_samples_close(&s.timed.samples);
    }
    agreed_check(a, s.pairs > 0, "the largest is measured beside compute");
    json_decref(origin.machine);
}

static void share(struct agreed *a, struct collectives *b) {
    struct collectives_share s;
    collectives_measure_share(b, &s);
    agreed_check(a, s.matmul > 0.05 && s.matmul < 3 && s.pass > 0.05 && s.pass < 3, "what ranks leave each other");
    for (int i = 0; i < s.rounds; i++)
        agreed_check(a, s.matmul_alone[i] > 1e7 && s.pass_together[i] > 1e7, "a round has rates");
}

static void faulty(struct agreed *a, struct collectives *b, const struct collectives_options *o) {
    const struct record_launch launch = {.id = "id", .job = "id", .nodes = a->world.nodes};
    const struct measure_origin origin = {&launch, a->world.size, 1, "--threads", json_object()};
    struct collectives_size s;
    struct base_error e;
    struct comm_ops wrong = *a->world.ops;
    right = a->world.ops;
    wrong.all_reduce_start = faulty_start;
    wrong.wait = faulty_wait;
    a->world.ops = &wrong;
    const int code = collectives_measure(b, o->bytes[0], o, &s, &e);
    a->world.ops = right;
    agreed_check(a, code == BASE_OK && s.status == RECORD_FAILED && s.wrong == 1, "a changed element FAILS everywhere");
    json_t *record = collectives_record(&s, &origin);
    const json_t *r = json_object_get(record, "result");
    agreed_check(a, !strcmp(record_text(record, "status"), "FAILED") && isnan(record_real(r, "time_s")),
                 "without a time");
    agreed_check(a, json_object_size(json_object_get(record, "samples")) == 0, "or samples to make one of");
    json_decref(record);
    json_decref(origin.machine);
    measure_samples_close(&s.timed.samples);
}

int main(void) {
    const struct collectives_options o = {.bytes = {64, 100 << 10, 24 << 20}, .sizes = 3, .seconds = 0.2, .width = 1};
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
        faulty(&a, &bench, &o);
    }
    collectives_close(&bench);
    return agreed_close(&a);
}
