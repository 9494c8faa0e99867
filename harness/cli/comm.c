/* SPDX-License-Identifier: Apache-2.0
 *
 * toise comm: flags, memory check, then size by size: measure on all ranks, record and report on one. */
#include <math.h>

#include "base/text.h"
#include "base/topology.h"
#include "bench/comm_record.h"
#include "cli/cli.h"
#include "cli/comm_options.h"
#include "measure/fingerprint.h"
#include "records/record.h"
#include "report/report.h"

/* One launch. */
struct launch {
    const struct cli_comm_flags *flags;
    struct bench_comm_options options;
    struct bench_origin origin;
    FILE *page; /* what people read */
    int failed, unsure, shown;
    char id[64];
};

/* Takes the record; collective. */
static int emit(struct launch *l, struct comm *world, json_t *record, struct base_error *e) {
    int code = BASE_OK;
    if (world->rank == 0) {
        if (l->flags->out) code = record_append(l->flags->out, record, e);
        if (l->flags->json) cli_print_json(record);
        if (l->flags->json && fflush(stdout) && !code)
            code = base_fail(e, BASE_BROKEN, "cannot write to standard output");
        if (!l->shown++) report_comm_head(l->page, record);
        report_comm(l->page, record);
    }
    json_decref(record);
    return comm_agree(world, code, e);
}

static int measure(struct launch *l, struct bench_comm *b, struct base_error *e) {
    struct bench_comm_share share;
    int code = BASE_OK;
    for (int i = 0; i < l->options.sizes && !code; i++) {
        struct bench_comm_size size;
        code = bench_comm_measure(b, l->options.bytes[i], &l->options, &size, e);
        if (!code) code = emit(l, b->world, bench_comm_record(&size, &l->origin), e);
        l->failed += size.status == RECORD_FAILED;
        l->unsure += size.status == RECORD_INCONCLUSIVE;
        measure_samples_close(&size.timed.samples);
    }
    if (code) return code;
    bench_comm_measure_share(b, &share);
    l->unsure += share.status == RECORD_INCONCLUSIVE;
    return emit(l, b->world, bench_comm_share_record(&share, &l->origin), e);
}

/* The exit code that the sizes come to: FAILED before inconclusive. */
static int exit_code(const struct launch *l, struct base_error *e) {
    if (l->failed)
        return base_fail(e, BASE_NO, "FAILED: the sums of %d of %d sizes, which have no rate", l->failed,
                         l->options.sizes);
    if (l->unsure)
        return base_fail(e, BASE_INCONCLUSIVE,
                         "inconclusive: %d of %d rows are too noisy or have too few samples: raise --seconds or "
                         "--width, or quiet the machine",
                         l->unsure, l->options.sizes + 1);
    return BASE_OK;
}

/* Ranks read their memory at different moments: the least counts for all. */
static int check_memory(const struct launch *l, struct comm *world, const struct kernel_caches *caches,
                        struct base_error *e) {
    const double each = bench_comm_need(&l->options, caches), free_here = (double)base_memory_available();
    double fullest[2] = {free_here < 0 ? -INFINITY : -free_here, world->local_size}; /* unknown: no limit */
    char need[32], have[32];
    world->ops->max(world, fullest, 2);
    if (fullest[1] * each <= 0.9 * -fullest[0]) return BASE_OK;
    base_text_bytes(fullest[1] * each, need, sizeof need);
    base_text_bytes(-fullest[0], have, sizeof have);
    return base_fail(e, BASE_USAGE, "the ranks of a node need %s, and %s are there; give smaller sizes with --bytes",
                     need, have);
}

static int run(struct launch *l, struct comm *world, struct base_error *e) {
    struct base_topology topology;
    struct measure_placement placement;
    struct kernel_caches caches;
    struct kernel_ops ops;
    struct bench_comm bench;
    enum kernel_isa isa;
    int code = cli_isa(&isa, e);
    if (!code) code = base_topology_read(&topology, e);
    if ((code = comm_agree(world, code, e))) return code;
    if ((code = measure_place(&placement, world, (int)l->flags->threads, e))) return code;
    measure_place_pin(&placement);
    if (placement.warning[0] && world->rank == 0) fprintf(stderr, "toise: %s\n", placement.warning);
    base_topology_caches(&topology, placement.threads, world->local_size, &caches);
    if ((code = check_memory(l, world, &caches, e))) return code;
    kernel_select(&ops, isa, KERNEL_BACKEND_TOISE);
    l->origin = (struct bench_origin){.launch = l->id,
                                      .ranks = world->size,
                                      .nodes = world->nodes,
                                      .threads = placement.threads,
                                      .threads_from = placement.threads_from,
                                      .machine = measure_fingerprint(&topology, &ops, isa)};
    code = bench_comm_open(&bench, world, &l->options, &placement, &caches, e);
    if (!code) code = measure(l, &bench, e);
    bench_comm_close(&bench);
    json_decref(l->origin.machine);
    return code ? code : exit_code(l, e);
}

/* One rank sums with nobody. */
static int check_world(const struct comm *world, struct base_error *e) {
    if (world->size > 1) return BASE_OK;
    return base_fail(e, BASE_USAGE,
                     "toise comm: one rank has nothing to send, so there is nothing to measure; start several, as in "
                     "mpirun --bind-to none -n 2 toise comm");
}

int cli_comm(struct comm *world, int argc, char *const *argv, struct base_error *e) {
    struct cli_comm_flags flags;
    struct launch l = {.flags = &flags};
    int code = cli_comm_flags_parse(&flags, argc, argv, e);
    if (!code && flags.help) {
        if (world->rank == 0) cli_comm_flags_help(stdout);
        return BASE_OK;
    }
    if (!code) code = cli_comm_resolve(&flags, &l.options, e);
    if (!code) code = check_world(world, e);
    if (!code && flags.out && world->rank == 0) code = record_check(flags.out, e);
    if ((code = comm_agree(world, code, e))) return code;
    l.page = flags.json ? stderr : stdout;
    cli_launch_id(world, l.id);
    return run(&l, world, e);
}
