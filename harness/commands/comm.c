/* SPDX-License-Identifier: Apache-2.0
 *
 * toise comm: flags and memory check. Then, for each size, all ranks measure and rank 0 records and reports. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "base/topology.h"
#include "cli/alike.h"
#include "cli/cli.h"
#include "cli/launch.h"
#include "collectives/record.h"
#include "commands/comm_options.h"
#include "commands/commands.h"
#include "guard/stop.h"
#include "guard/watchdog.h"
#include "inventory/fingerprint.h"
#include "records/record.h"
#include "report/report.h"

/* One launch. */
struct launch {
    const struct comm_flags *flags;
    struct collectives_options options;
    struct measure_origin origin;
    FILE *page; /* for people */
    int failed, unsure, rows, stopped;
    struct record_launch launch;
    json_t *table; /* on rank 0: every record, for --csv */
};

/* Frees the record. Collective. */
static int emit(struct launch *l, struct comm *world, json_t *record, struct base_error *e) {
    int code = BASE_OK;
    l->rows++;
    if (world->rank == 0) {
        const json_t *last = json_array_get(l->table, json_array_size(l->table) - 1);
        code = cli_emit(&l->flags->output, record, e);
        report_comm(l->page, record, last);
        json_array_append(l->table, record);
    }
    json_decref(record);
    return comm_agree(world, code, e);
}

/* The times of one operation in one group that PASSED, by ascending size. */
struct series {
    struct collectives_point points[COLLECTIVES_SIZES];
    struct collectives_size last;
    int count, rows;
};

static void add(struct series *s, const struct collectives_size *size) {
    static const double normal = 1.96; /* half-width of a 95% interval over its standard error */
    const struct base_interval *t = &size->timed.call;
    const struct collectives_point point = {(double)size->bytes, t->median,
                                            (t->high - t->low) / 2 / normal / t->median};
    int at = s->count++;
    for (; at > 0 && s->points[at - 1].bytes > point.bytes; at--) s->points[at] = s->points[at - 1];
    s->points[at] = point;
}

static int measure_size(struct launch *l, struct collectives *b, int kind, struct collectives_group *group,
                        int64_t bytes, struct series *s, struct base_error *e) {
    struct collectives_size *size = &s->last;
    int code = collectives_measure(b, (enum collectives_kind)kind, group, bytes, &l->options, size, e);
    if (!code) code = emit(l, b->world, collectives_record(size, &l->origin), e);
    l->failed += size->status == RECORD_FAILED;
    l->unsure += size->status == RECORD_INCONCLUSIVE;
    if (!code && size->status == RECORD_PASSED) add(s, size);
    s->rows++;
    measure_samples_close(&size->timed.samples);
    return code;
}

/* All sizes of an operation in a group, and the lines through their times. */
static int measure_op(struct launch *l, struct collectives *b, int kind, struct collectives_group *group,
                      struct base_error *e) {
    struct series s = {.count = 0, .rows = 0};
    struct collectives_fit fit;
    int64_t before = 0;
    int code = BASE_OK;
    guard_phase(collectives_ops[kind].name);
    for (int i = 0; i < l->options.sizes && !code && !b->stopped; i++) {
        const int64_t bytes = collectives_op_bytes(&collectives_ops[kind], l->options.bytes[i], group->ranks);
        if (bytes > 0 && bytes != before) code = measure_size(l, b, kind, group, bytes, &s, e);
        before = bytes;
    }
    if (code || s.rows < COLLECTIVES_RANGE_LEAST) return code;
    collectives_fit(s.points, s.count, &fit);
    return emit(l, b->world, collectives_fit_record(&s.last, s.points, s.count, &fit, &l->origin), e);
}

static int measure_group(struct launch *l, struct collectives *b, enum collectives_scope scope, struct base_error *e) {
    struct collectives_group group;
    int code = collectives_group_open(&group, b->world, scope, e);
    if (code) return code;
    for (int kind = 0; kind < COLLECTIVES_OPS && !code && !b->stopped; kind++)
        if (l->options.ops & 1u << kind) code = measure_op(l, b, kind, &group, e);
    collectives_group_close(&group);
    return code;
}

static int measure(struct launch *l, struct collectives *b, struct base_error *e) {
    struct collectives_share share;
    int code = BASE_OK;
    for (int scope = 0; scope < COLLECTIVES_SCOPES && !code && !b->stopped; scope++)
        if (l->options.groups & 1u << scope) code = measure_group(l, b, (enum collectives_scope)scope, e);
    l->stopped = b->stopped;
    if (code || b->stopped || !(l->options.ops & 1u << COLLECTIVES_ALL_REDUCE)) return code;
    collectives_measure_share(b, &share);
    l->unsure += share.status == RECORD_INCONCLUSIVE;
    return emit(l, b->world, collectives_share_record(&share, &l->origin), e);
}

/* The exit code of all rows: FAILED outranks inconclusive. */
static int exit_code(const struct launch *l, struct base_error *e) {
    if (l->failed)
        return base_fail(e, BASE_NO, "FAILED: the results of %d of %d rows are wrong, so they have no rate", l->failed,
                         l->rows);
    if (l->stopped)
        return base_fail(e, BASE_INCONCLUSIVE, "inconclusive: stopped by %s after %d rows", guard_stop_name(l->stopped),
                         l->rows);
    if (l->unsure)
        return base_fail(e, BASE_INCONCLUSIVE,
                         "inconclusive: %d of %d rows are too noisy or have too few samples: raise --seconds or "
                         "--ci, or quiet the machine",
                         l->unsure, l->rows);
    return BASE_OK;
}

static bool fill_csv(FILE *file, void *table) {
    report_comm_csv(file, table);
    return !ferror(file);
}

/* Whether the ranks have these groups, and each operation a size that has a float for each rank. */
static int check_groups(struct launch *l, struct comm *world, struct base_error *e) {
    struct collectives_group group;
    struct collectives_options *o = &l->options;
    int code = BASE_OK;
    if (!o->groups) o->groups = collectives_groups_of(world);
    int64_t most = 0;
    for (int i = 0; i < o->sizes; i++) most = o->bytes[i] > most ? o->bytes[i] : most;
    for (int scope = 0; scope < COLLECTIVES_SCOPES && !code; scope++) {
        if (!(o->groups & 1u << scope)) continue;
        if ((code = collectives_group_open(&group, world, (enum collectives_scope)scope, e))) return code;
        for (int kind = 0; kind < COLLECTIVES_OPS && !code; kind++)
            if (o->ops & 1u << kind && !collectives_op_bytes(&collectives_ops[kind], most, group.ranks))
                code = base_fail(e, BASE_USAGE,
                                 "%s over %d ranks needs a float for each: give a size of at least %d bytes",
                                 collectives_ops[kind].name, group.ranks, 4 * group.ranks);
        collectives_group_close(&group);
    }
    return code;
}

static int check_memory(const struct launch *l, struct comm *world, const struct kernel_caches *caches,
                        struct base_error *e) {
    int local;
    const double available = cli_least_memory(world, &local), needed = local * collectives_need(&l->options, caches);
    char need[32], have[32];
    if (needed <= 0.9 * available) return BASE_OK;
    base_text_bytes(needed, need, sizeof need);
    base_text_bytes(available, have, sizeof have);
    return base_fail(e, BASE_USAGE,
                     "the ranks of a node need %s of memory, but %s are free; give smaller sizes with --bytes or --end",
                     need, have);
}

static int run(struct launch *l, struct comm *world, struct base_error *e) {
    struct base_topology topology;
    struct measure_placement placement;
    struct kernel_caches caches;
    struct kernel_ops ops;
    struct collectives bench;
    enum kernel_isa isa;
    int code = cli_isa(&isa, e);
    if (!code) code = base_topology_read(&topology, e);
    if ((code = comm_agree(world, code, e))) return code;
    if ((code = cli_alike_kernels(world, topology.cpu, e))) return code;
    if ((code = measure_place(&placement, world, (int)l->flags->threads, e))) return code;
    cli_pin(&placement, world, (enum measure_bind)l->flags->bind);
    if (placement.warning[0] && world->rank == 0) fprintf(stderr, "toise: %s\n", placement.warning);
    base_topology_caches(&topology, placement.threads, world->local_size, &caches);
    if ((code = check_groups(l, world, e)) || (code = check_memory(l, world, &caches, e))) return code;
    kernel_select(&ops, isa, KERNEL_BACKEND_TOISE);
    l->origin = (struct measure_origin){.launch = &l->launch,
                                        .ranks = world->size,
                                        .threads = placement.threads,
                                        .threads_from = placement.threads_from,
                                        .machine = inventory_fingerprint(&topology, &ops, isa)};
    guard_stop_watch();
    code = collectives_open(&bench, world, &l->options, &placement, &caches, e);
    l->table = json_array();
    if (!code) cli_warn_rivals(&placement, world);
    if (!code) code = measure(l, &bench, e);
    if (!code && world->rank == 0 && l->flags->csv) code = base_file_make(l->flags->csv, fill_csv, l->table, e);
    code = comm_agree(world, code, e);
    collectives_close(&bench);
    json_decref(l->table);
    json_decref(l->origin.machine);
    return code ? code : exit_code(l, e);
}

/* A single rank sends nothing. */
static int check_world(const struct comm *world, struct base_error *e) {
    if (world->size > 1) return BASE_OK;
    return base_fail(e, BASE_USAGE,
                     "toise comm needs at least two ranks, as one rank sends nothing; start it as in "
                     "mpirun --bind-to none -n 2 toise comm");
}

int command_comm(struct comm *world, int argc, char *const *argv, struct base_error *e) {
    struct comm_flags flags = {0};
    struct launch l = {.flags = &flags};
    int code = cli_options_read(&COMMAND, &flags, argc, argv, e);
    if (!code && flags.output.help) return cli_help(world, &COMMAND);
    if (!code) code = cli_launch_check(&flags.launch, e);
    if (!code) code = comm_sizes_resolve(&flags, &l.options, e);
    if (!code) code = check_world(world, e);
    if (!code) code = cli_options_apart(&COMMAND, &flags, e);
    if (!code && world->rank == 0) code = record_check(flags.output.out, e);
    if (!code && world->rank == 0) code = record_check_anew(flags.csv, "--csv", e);
    if ((code = comm_agree(world, code, e))) return code;
    if ((code = cli_guard_open(world, flags.timeout, e))) return code;
    l.page = cli_page(&flags.output);
    cli_launch_open(world, &flags.launch, &l.launch);
    return run(&l, world, e);
}
