/* SPDX-License-Identifier: Apache-2.0
 *
 * toise nodes: flags, the plan of a rank's step, the rounds, then rank 0 judges, records and reports. */
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/topology.h"
#include "cli/catalog.h"
#include "cli/guard.h"
#include "cli/launch.h"
#include "cli/progress.h"
#include "commands/commands.h"
#include "fleet/history.h"
#include "fleet/record.h"
#include "guard/stop.h"
#include "guard/watchdog.h"
#include "inject/inject.h"
#include "inventory/fingerprint.h"
#include "inventory/hosts.h"
#include "records/record.h"
#include "report/report.h"

struct flags {
    const char *model, *hosts, *history, *inject;
    int64_t layers, seq, micro_batch, threads, rounds, bytes, seed;
    int precision, unit, bind;
    double timeout;
    struct cli_launch launch;
    struct cli_output output;
};

static const char *unit_name(int i) {
    static const char *const names[] = {[FLEET_NODES] = "node", [FLEET_RANKS] = "rank", NULL};
    return names[i];
}

/* clang-format off */
static const struct cli_option OPTIONS[] = {
    {.name = "--rounds", .kind = CLI_INTEGER, .at = offsetof(struct flags, rounds), .min = DETECT_SAMPLES, .max = 10000,
     .fallback = "20", .hint = "N", .help = "more of them find smaller slowdowns, and see more links"},
    {.name = "--unit", .kind = CLI_CHOICE, .at = offsetof(struct flags, unit), .word = unit_name, .fallback = "node",
     .hint = "U", .help = ": what gets a verdict; a node is as slow as its slowest rank"},
    {.name = "--model", .kind = CLI_TEXT, .at = offsetof(struct flags, model), .file = CLI_READ, .fallback = CLI_MODEL,
     .hint = "NAME", .help = "what each rank trains by itself: a preset, or the path of a Hugging Face config.json"},
    {.name = "--layers", .alias = "--num-layers", .kind = CLI_INTEGER, .at = offsetof(struct flags, layers), .min = 1,
     .max = CLI_SIZE_MOST, .hint = "N", .help = "use only the first N layers"},
    {.name = "--precision", .kind = CLI_CHOICE, .at = offsetof(struct flags, precision), .word = cli_training_precision,
     .fallback = "fp32", .hint = "P", .help = ""},
    {.name = "--seq", .alias = "--seq-length", .kind = CLI_INTEGER, .at = offsetof(struct flags, seq), .min = 1,
     .max = CLI_SIZE_MOST, .hint = "N", .help = "tokens of a sequence; default 256"},
    {.name = "--mbs", .alias = "--micro-batch-size", .kind = CLI_INTEGER, .at = offsetof(struct flags, micro_batch),
     .min = 1, .max = CLI_SIZE_MOST, .fallback = "1", .hint = "N", .help = "sequences in the step of each rank"},
    {.name = "--bytes", .kind = CLI_INTEGER, .at = offsetof(struct flags, bytes), .min = 8, .max = 1 << 30,
     .fallback = "1048576", .hint = "N", .help = "of a message, rounded down to a multiple of 8"},
    {.name = "--seed", .kind = CLI_INTEGER, .at = offsetof(struct flags, seed), .min = 0, .max = 9e15, .fallback = "1",
     .hint = "N", .help = "of the pairs' order, weights and data; another one sees other links"},
    {.name = "--hosts", .kind = CLI_TEXT, .at = offsetof(struct flags, hosts), .hint = "LIST",
     .help = "hosts that should have ranks, as in n[1-3,7]; those without are unreachable; default those of the Slurm "
             "job"},
    {.name = "--history", .kind = CLI_TEXT, .at = offsetof(struct flags, history), .file = CLI_READ, .hint = "FILE",
     .help = "records of earlier runs, which tell a chronic fault from a new one; default the file of --out"},
    {.name = "--inject", .kind = CLI_TEXT, .once = true, .at = offsetof(struct flags, inject), .hint = "FAULTS",
     .help = "faults on purpose, to see that they are found: " INJECT_HELP},
    {.kind = CLI_SHARED, .at = offsetof(struct flags, timeout), .shared = cli_guard_option},
    {.kind = CLI_SHARED, .at = offsetof(struct flags, threads), .shared = cli_threads_option},
    {.kind = CLI_SHARED, .at = offsetof(struct flags, bind), .shared = cli_bind_option},
    {.kind = CLI_SHARED, .at = offsetof(struct flags, launch), .shared = cli_launch_options},
    {.kind = CLI_SHARED, .at = offsetof(struct flags, output), .shared = cli_output_options},
    {.name = NULL},
};
/* clang-format on */

static const struct cli_command COMMAND = {
    .name = "nodes",
    .options = OPTIONS,
    .usage =
        "mpirun -n P toise nodes [flags]\n\nWhich node is slow, which link, which one computes wrong results? All "
        "ranks do the same at once, round after round:\na training step of their own, the register-only loop, "
        "passes over memory, and messages in pairs that change.\nA node that takes longer than its peers is called "
        "slow, one that computes other bits is called wrong.",
    .notes = "Nodes are compared with nodes of the same fingerprint, threads and caches, at least three of "
             "them.\nCauses of a slow node: core clock, memory, link, neighbour (others took its CPUs' time), or "
             "unexplained.\nA node without a peer runs twice; its bits are then said to be unchecked.\n"
             "Exit codes: 0 all are good, 1 some are not, 3 too noisy, or too few peers. The last line is for sbatch.\n"
             "TOISE_ISA (ref, neon, avx2, avx512, avx512bf16) caps the instruction set.\n",
};

_Static_assert(DETECT_PEERS == 3, "the help says three");

/* One run. */
struct run {
    const struct flags *flags;
    struct comm *world;
    struct cli_progress progress;
    double began;
    struct plan plan;
    struct kernel_ops ops;
    enum kernel_isa isa;
    struct measure_placement place;
    struct record_launch launch;
    struct measure_origin origin;
    struct fleet fleet;
    json_t *history, *missing; /* on rank 0 */
};

/* fleet_options' callback. */
static void on_round(void *context, int round) {
    struct run *r = context;
    const double spent = base_clock_now() - r->began;
    const int rounds = (int)r->flags->rounds;
    char left[32] = "", text[96];
    if (round) base_text_duration(spent / round * (rounds - round), left, sizeof left);
    snprintf(text, sizeof text, "round %d/%d%s%s%s", round + 1, rounds, round ? ", " : "", left, round ? " left" : "");
    cli_progress_phase(&r->progress, text);
}

static int resolve(const struct flags *f, struct plan_request *request, struct base_error *e) {
    *request = (struct plan_request){.dtype = (enum kernel_dtype)f->precision,
                                     .global_batch = f->micro_batch,
                                     .layout = plan_layout_data_parallel(1, f->micro_batch)};
    int code = cli_catalog_model(f->model, &request->config, e);
    if (!code && f->layers) code = model_config_slice(&request->config, f->layers, e);
    if (!code) request->seq = f->seq ? f->seq : cli_usual_seq(&request->config);
    return code;
}

/* Plans one rank's step, and refuses what does not fit. Collective. */
static int make_plan(struct run *r, struct plan_request *request, struct base_error *e) {
    struct base_topology topology;
    struct comm *world = r->world;
    int local, code = comm_agree(world, base_topology_read(&topology, e), e);
    if (!code) code = measure_place(&r->place, world, (int)r->flags->threads, e);
    if (code) return code;
    cli_pin(&r->place, world, (enum measure_bind)r->flags->bind);
    if (r->place.warning[0] && world->rank == 0) fprintf(stderr, "toise: %s\n", r->place.warning);
    request->threads = r->place.threads;
    base_topology_caches(&topology, r->place.threads, world->local_size, &request->caches);
    kernel_select(&r->ops, r->isa, KERNEL_BACKEND_TOISE);
    r->origin = (struct measure_origin){.launch = &r->launch,
                                        .ranks = world->size,
                                        .threads = r->place.threads,
                                        .threads_from = r->place.threads_from,
                                        .machine = inventory_fingerprint(&topology, &r->ops, r->isa)};
    const double available = cli_least_memory(world, &local);
    const double beside = local * (fleet_local_need(&request->caches) + 2.0 * (double)r->flags->bytes);
    code = plan_make(&r->plan, request, e);
    if (!code) code = plan_check_memory(&r->plan, local, available - beside, e);
    return comm_agree(world, code, e);
}

/* Finds the hosts that should have ranks and have none. On rank 0. */
static int look_for_hosts(struct run *r, struct base_error *e) {
    const char *list = r->flags->hosts ? r->flags->hosts : record_text(r->launch.place, "unused");
    const json_t *name;
    size_t i;
    json_t *names = *list ? inventory_hosts_expand(list) : json_array();
    if (!names)
        return base_fail(e, BASE_USAGE, "--hosts: \"%.200s\" is not a list of hosts; write it as in n[1-3,7],login",
                         list);
    r->missing = json_array();
    json_array_foreach(names, i, name) if (!fleet_has_host(&r->fleet, json_string_value(name)))
        json_array_append(r->missing, (json_t *)name);
    json_decref(names);
    return BASE_OK;
}

/* Records and shows the verdicts. broken, lost: as in struct fleet_context. On rank 0. */
static int answer(const struct run *r, const char *broken, int lost, struct base_error *e) {
    struct fleet_judgement judgement;
    const struct fleet_context context = {&r->origin, &r->plan, r->history, r->missing, broken, lost};
    int code = fleet_judge(&r->fleet, &judgement, e);
    if (!code) {
        json_t *record = fleet_record(&r->fleet, &judgement, &context);
        code = cli_emit(&r->flags->output, record, e);
        report_nodes(cli_page(&r->flags->output), record);
        if (!code) code = cli_verdict(record, e);
        json_decref(record);
    }
    fleet_judgement_close(&judgement);
    return code;
}

/* The watchdog's callback: a rank hangs or is gone, and rank 0 tells what the rounds so far said. */
static void on_broken(void *context, const struct guard_verdict *verdict, const char *why) {
    const struct run *r = context;
    const bool one = verdict->rank >= 0 && verdict->rank < r->fleet.ranks && verdict->fault != GUARD_STALLED;
    struct base_error e;
    answer(r, why, one ? r->fleet.rank[verdict->rank].unit : -1, &e);
}

static int measure(struct run *r, struct base_error *e) {
    struct comm *world = r->world;
    struct fleet_local local;
    struct fleet_rank mine = {.threads = r->place.threads};
    const struct fleet_options options = {.of = (enum fleet_of)r->flags->unit,
                                          .rounds = (int)r->flags->rounds,
                                          .message_bytes = r->flags->bytes / 8 * 8,
                                          .seed = (uint64_t)r->flags->seed,
                                          .on_round = on_round,
                                          .context = r};
    fleet_kind(r->origin.machine, &(struct kernel_team){.threads = r->place.threads, .caches = &r->plan.request.caches},
               r->isa, mine.kind);
    snprintf(mine.host, sizeof mine.host, "%s", record_text(r->origin.machine, "host"));
    int code = fleet_open(&r->fleet, &options, &mine, world, e);
    if (!code) code = comm_agree(world, world->rank ? BASE_OK : look_for_hosts(r, e), e);
    if (code) return code;
    if (world->rank == 0) guard_watchdog_last(on_broken, r);
    code = fleet_local_open(&local, &r->plan, &r->ops, &r->place, world->local_size, options.seed, e);
    code = comm_agree(world, code, e);
    if (!code) cli_warn_rivals(&r->place, world);
    r->began = base_clock_now();
    if (!code) code = fleet_run(&r->fleet, &local, world, e);
    fleet_local_close(&local);
    guard_watchdog_last(NULL, NULL);
    cli_progress_close(&r->progress);
    if (!code && world->rank == 0) code = answer(r, NULL, -1, e);
    return comm_agree(world, code, e);
}

/* Earlier records; none if the file of --out is yet to be made. On rank 0. */
static int read_history(struct run *r, struct base_error *e) {
    const struct flags *f = r->flags;
    const bool made = f->output.out && access(f->output.out, F_OK) == 0;
    return fleet_history_read(f->history ? f->history : made ? f->output.out : NULL, &r->history, e);
}

int command_nodes(struct comm *world, int argc, char *const *argv, struct base_error *e) {
    struct flags flags = {0};
    struct run r = {.flags = &flags, .world = world};
    struct plan_request request;
    int code = cli_options_read(&COMMAND, &flags, argc, argv, e);
    if (!code && flags.output.help) return cli_help(world, &COMMAND);
    if (!code) code = cli_launch_check(&flags.launch, e);
    if (!code) code = cli_isa(&r.isa, e);
    if (!code) code = inject_open(flags.inject, world->rank, world->node, world->size, world->nodes, e);
    if (!code) code = resolve(&flags, &request, e);
    if (!code && world->rank == 0) code = record_check(flags.output.out, e);
    if (!code && world->rank == 0) code = read_history(&r, e);
    if (!(code = comm_agree(world, code, e))) {
        guard_stop_watch();
        cli_launch_open(world, &flags.launch, &r.launch);
        code = cli_guard_open(world, flags.timeout, e);
        if (!code) code = make_plan(&r, &request, e);
        cli_progress_open(&r.progress, cli_page(&flags.output), world, &r.plan);
        if (!code) code = measure(&r, e);
        fleet_close(&r.fleet);
    }
    json_decref(r.origin.machine);
    json_decref(r.history);
    json_decref(r.missing);
    return code;
}
