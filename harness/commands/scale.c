/* SPDX-License-Identifier: Apache-2.0
 *
 * toise scale: a curve measured in this allocation, made of earlier records, or planned. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/guard.h"
#include "cli/sweep.h"
#include "commands/commands.h"
#include "draw/curve.h"
#include "guard/stop.h"
#include "report/report.h"
#include "scale/scale.h"
#include "sweep/cost.h"

struct flags {
    const char *workload, *counts, *from, *comm, *svg;
    struct cli_words files;
    int mode, unit, precision, bind;
    int64_t repeats, warmup, steps, micro_batch, threads, seed, units;
    double budget, rate, timeout;
    bool dry_run;
    struct cli_launch launch;
    struct cli_output output;
};

/* clang-format off */
static const struct cli_option OPTIONS[] = {
    {.name = "--mode", .kind = CLI_CHOICE, .at = offsetof(struct flags, mode), .word = record_scaling_mode_name,
     .hint = "M", .help = "; strong: the global batch is fixed; weak: the batch of each node; default the workload's"},
    {.name = "--unit", .kind = CLI_CHOICE, .at = offsetof(struct flags, unit), .word = record_scaling_unit_name,
     .hint = "U", .help = "; what is counted; default node. With rank, each rank counts as a node"},
    {.name = "--workload", .kind = CLI_TEXT, .at = offsetof(struct flags, workload), .hint = "NAME",
     .help = "strong-s, strong-m, strong-l, or weak-s, weak-m, weak-l; default strong-s, or weak-s with --mode weak"},
    {.name = "--counts", .kind = CLI_TEXT, .at = offsetof(struct flags, counts), .hint = "N,N,...",
     .help = "the counts to measure; default 1, 2, 4, ... and all"},
    {.name = "--repeats", .kind = CLI_INTEGER, .at = offsetof(struct flags, repeats), .min = 1, .max = 1000,
     .fallback = "5", .hint = "N", .help = "runs of each point, each repeat in an order of its own"},
    {.name = "--warmup", .kind = CLI_INTEGER, .at = offsetof(struct flags, warmup), .min = 0, .max = 1000,
     .fallback = "2", .hint = "N", .help = "steps of a run before timing; 7 or more also choose the overlap of communication"},
    {.name = "--steps", .kind = CLI_INTEGER, .at = offsetof(struct flags, steps), .min = 1, .max = 100000,
     .fallback = "12", .hint = "N", .help = "timed steps of a run; below 11 a run cannot tell its exposed communication"},
    {.name = "--budget", .kind = CLI_NUMBER, .at = offsetof(struct flags, budget), .min = 1, .max = 1e7, .hint = "S",
     .help = "seconds: no run starts that may end later; the curve is then of what was measured"},
    {.name = "--precision", .kind = CLI_CHOICE, .at = offsetof(struct flags, precision), .word = cli_training_precision,
     .fallback = "fp32", .hint = "P", .help = ""},
    {.name = "--mbs", .alias = "--micro-batch-size", .kind = CLI_INTEGER, .at = offsetof(struct flags, micro_batch),
     .min = 1, .max = CLI_SIZE_MOST, .hint = "N",
     .help = "sequences that a rank computes at once, at every point; default the most that divide and fit at all"},
    {.kind = CLI_SHARED, .at = offsetof(struct flags, threads), .shared = cli_threads_option},
    {.kind = CLI_SHARED, .at = offsetof(struct flags, bind), .shared = cli_bind_option},
    {.name = "--seed", .kind = CLI_INTEGER, .at = offsetof(struct flags, seed), .min = 0, .max = 9e15, .fallback = "1",
     .hint = "N", .help = "seed of weights, data and order"},
    {.name = "--comm", .kind = CLI_TEXT, .at = offsetof(struct flags, comm), .file = CLI_READ_LIST, .hint = "FILES",
     .help = "records of toise comm, and of roofs, on these nodes, for the ledger's model of the curve; those in --out "
             "are read, too"},
    {.name = "--from", .kind = CLI_TEXT, .at = offsetof(struct flags, from), .file = CLI_READ_LIST, .hint = "FILES",
     .help = "run nothing: make the curve of these records of toise scale, train and comm, also of separate jobs"},
    {.name = "FILES", .kind = CLI_WORDS, .at = offsetof(struct flags, files), .file = CLI_READ,
     .help = "more files, with --from"},
    {.name = "--dry-run", .kind = CLI_FLAG, .at = offsetof(struct flags, dry_run),
     .help = "print the points and their node-hours, but measure at most a short step, and write nothing"},
    {.name = "--rate", .kind = CLI_NUMBER, .at = offsetof(struct flags, rate), .min = 1e-3, .max = 1e12, .hint = "X",
     .help = "with --dry-run: tokens/s of a node (or rank) instead of those of a short step"},
    {.name = "--units", .kind = CLI_INTEGER, .at = offsetof(struct flags, units), .min = 1, .max = 1e6, .hint = "N",
     .help = "with --dry-run: plan for N nodes (or ranks)"},
    {.name = "--svg", .kind = CLI_TEXT, .at = offsetof(struct flags, svg), .file = CLI_WRITTEN, .hint = "FILE",
     .help = "draw the curve into FILE (needs gnuplot)"},
    {.kind = CLI_SHARED, .at = offsetof(struct flags, timeout), .shared = cli_guard_option},
    {.kind = CLI_SHARED, .at = offsetof(struct flags, launch), .shared = cli_launch_options},
    {.kind = CLI_SHARED, .at = offsetof(struct flags, output), .shared = cli_output_options},
    {.name = NULL},
};
/* clang-format on */

static const struct cli_rule RULES[] = {
    {.given = "--from",
     .excludes = "--workload --counts --budget --mbs --threads --bind --comm --dry-run --job",
     .text = "cannot be combined, as --from runs nothing"},
    {.given = "FILES", .needs = "--from", .text = "need --from: toise scale --from FILES"},
    {.given = "--rate", .needs = "--dry-run", .text = "needs --dry-run: a real run measures the rate"},
    {.given = "--units", .needs = "--dry-run", .text = "needs --dry-run: a real run has the ranks of mpirun or srun"},
    {.given = "--dry-run", .excludes = "--svg --budget --comm", .text = "cannot be combined, as nothing is measured"},
    {.text = NULL},
};

static const struct cli_command COMMAND = {
    .name = "scale",
    .options = OPTIONS,
    .rules = RULES,
    .usage = "srun toise scale [flags]\n       toise scale --from FILES [flags]\n\nHow does the rate grow from one "
             "node to all? Trains on groups of 1, 2, 4, ... nodes of this allocation, in a random order\nthat is "
             "repeated, while the others sleep. Every point is checked against the smallest one, or it has no rate.",
    .notes = "Strong: losses and gradient norms of the first 20 steps equal the base's. Weak: the loss of the base's "
             "samples does. The\ngate runs in every run. Each run is a record of kind \"train\" in --out at once; the "
             "curve and the predictions of larger\npoints, made before these run, are records of kind \"scale\".\n"
             "Exit codes: 0 the curve is known, 1 a point FAILED, 3 inconclusive or ended early, 2 bad input.\n",
};

/* What the flags resolve to. */
struct setup {
    struct cli_workload workload;
    struct cli_trainer trainer;
    struct plan_request request;
    struct sweep_request asked;
    struct sweep_points points;
    struct sweep_units units;
};

static int resolve(const struct flags *f, struct setup *s, struct base_error *e) {
    const char *name = f->workload ? f->workload : f->mode == RECORD_WEAK ? "weak-s" : "strong-s";
    struct cli_workload *w = &s->workload;
    *s =
        (struct setup){.request = {.dtype = (enum kernel_dtype)f->precision, .threads = (int)f->threads, .gate = true}};
    const int code = cli_trainer_workload(name, 1, w, &s->request, e);
    if (code) return code;
    if (w->scaling < 0)
        return base_fail(e, BASE_USAGE, "--workload %s is not for scaling curves: take one of strong-* or weak-*",
                         name);
    if (f->mode >= 0 && f->mode != w->scaling)
        return base_fail(e, BASE_USAGE, "--mode %s: --workload %s is for %s scaling; leave out one of the two",
                         record_scaling_mode_name(f->mode), name, record_scaling_mode_name(w->scaling));
    s->asked = (struct sweep_request){.mode = (enum record_scaling_mode)w->scaling,
                                      .unit = f->unit < 0 ? RECORD_NODE : (enum record_scaling_unit)f->unit,
                                      .batch = w->batch,
                                      .micro_batch = f->micro_batch};
    return BASE_OK;
}

/* The sizes of a workload are fixed, so smaller ones are no cure. */
static int refuse_memory(const struct plan *plan, const char *name, int local, double available, struct base_error *e) {
    char need[32], have[32];
    base_text_bytes((plan->memory_bytes + plan->gate_bytes) * local, need, sizeof need);
    base_text_bytes(available, have, sizeof have);
    return base_fail(e, BASE_USAGE, "%s needs %s on a node of %d rank%s, which has %s free: take a smaller workload%s",
                     name, need, local, report_plural(local), have, local > 1 ? ", or fewer ranks a node" : "");
}

/* Chooses the points and the micro-batch of all of them, which must fit at the base. Collective. */
static int choose(const struct flags *f, struct comm *world, struct setup *s, struct base_error *e) {
    int n[SWEEP_POINTS_MOST], count = 0, local;
    const double free_bytes = cli_least_memory(world, &local), available = isnan(f->rate) ? free_bytes : -1;
    struct plan_request *r = &s->request;
    struct plan plan;
    s->asked.units = f->units ? (int)f->units : s->units.count;
    s->asked.ranks = s->units.ranks;
    if (s->asked.units == 1 && !f->counts)
        return base_fail(e, BASE_USAGE, "1 %s: a curve needs several points; start more%s",
                         sweep_unit_text(s->asked.unit, 1),
                         world->size > 1 ? ", or count ranks with --unit rank" : " with srun or mpirun");
    int code = f->counts ? sweep_points_read(f->counts, "--counts", n, &count, e) : BASE_OK;
    if (!code) code = sweep_points_make(&s->points, &s->asked, n, count, e);
    if (code) return code;
    const struct sweep_point *base = &s->points.at[sweep_points_base(&s->points)];
    r->layout = plan_layout_data_parallel(base->ranks, f->micro_batch);
    r->global_batch = base->global_batch;
    base_topology_caches(&s->trainer.topology, r->threads, world->local_size, &r->caches);
    if (!f->micro_batch) plan_choose_micro_batch(r, sweep_points_share(&s->points), local, available);
    code = plan_make(&plan, r, e);
    if (code || !plan_check_memory(&plan, local, available, NULL)) return code;
    return refuse_memory(&plan, s->workload.name, local, available, e);
}

/* Prints the points and what they take. */
static int dry_run(const struct flags *f, struct comm *world, struct setup *s, struct base_error *e) {
    struct sweep_rate rate = {.tokens_per_s = isnan(f->rate) ? 0 : f->rate};
    const struct sweep_work work = {.seq = s->request.seq,
                                    .micro_batch = s->request.layout.micro_batch,
                                    .warmup = (int)f->warmup,
                                    .steps = (int)f->steps,
                                    .repeats = (int)f->repeats,
                                    .nodes = !f->units ? world->nodes
                                             : s->asked.unit == RECORD_NODE
                                                 ? s->asked.units
                                                 : (s->asked.units + world->local_size - 1) / world->local_size};
    const struct train_identity id = {
        s->workload.name, s->workload.version, NULL, s->trainer.place.threads_from, NULL, 0};
    struct plan plan;
    int code = comm_agree(world, plan_make(&plan, &s->request, e), e);
    if (!code && isnan(f->rate))
        code = sweep_rate_measure(&rate, &s->request, &s->trainer.ops, (uint64_t)f->seed, world, e);
    const double process_bytes = train_process_bytes(world);
    if (code || world->rank) return code;
    json_t *record = train_plan_record(&plan, &id, process_bytes);
    json_object_set_new(record, "scaling", sweep_cost_json(&s->points, &s->asked, &work, &rate));
    if (f->output.json)
        cli_print_json(record);
    else
        report_scale_plan(stdout, record);
    json_decref(record);
    return BASE_OK;
}

static int sweep(const struct flags *f, struct comm *world, struct setup *s, const struct record_list *more,
                 struct base_error *e) {
    struct sweep_order order;
    int code = sweep_order_make(&order, &s->points, s->asked.units, (int)f->repeats, (uint64_t)f->seed, e);
    const struct cli_sweep c = {.trainer = &s->trainer,
                                .workload = &s->workload,
                                .output = &f->output,
                                .launch = &f->launch,
                                .svg = f->svg,
                                .more = more,
                                .request = s->request,
                                .options = {.optimizer = s->workload.optimizer,
                                            .seed = (uint64_t)f->seed,
                                            .warmup = (int)f->warmup,
                                            .steps = (int)f->steps,
                                            .ci = INFINITY,
                                            .gate = true},
                                .asked = &s->asked,
                                .points = &s->points,
                                .order = &order,
                                .units = &s->units,
                                .budget_s = isnan(f->budget) ? INFINITY : f->budget};
    guard_stop_watch();
    code = comm_agree(world, code, e);
    if (!code) code = cli_sweep_run(&c, world, e);
    sweep_order_close(&order);
    return code;
}

/* Loads the files of "a,b,c", then those of `more`. */
static int load(struct record_list *list, const char *names, const struct cli_words *more, struct base_error *e) {
    static const char *all[CLI_WORDS_MOST + 1];
    char *copy = strdup(names), *rest = copy;
    int count = 0;
    if (!copy) return base_fail(e, BASE_BROKEN, "out of memory");
    while (rest && count < CLI_WORDS_MOST) all[count++] = strsep(&rest, ",");
    const bool few = !rest && count + more->count <= CLI_WORDS_MOST;
    for (int i = 0; i < more->count && few; i++) all[count++] = more->word[i];
    const int code = few ? record_load(list, all, count, false, e)
                         : base_fail(e, BASE_USAGE, "more than %d files of records; give folders", CLI_WORDS_MOST);
    free(copy);
    return code;
}

/* Rank 0 checks what is read and written, before any work. */
static int check_files(const struct flags *f, struct record_list *list, struct base_error *e) {
    static const struct cli_words none;
    int code = cli_options_apart(&COMMAND, f, e);
    if (!code) code = record_check(f->output.out, e);
    if (!code && f->svg) code = draw_check(e);
    if (!code) code = record_check_anew(f->svg, "--svg", e);
    if (!code && f->from) code = load(list, f->from, &f->files, e);
    if (!code && f->comm) code = load(list, f->comm, &none, e);
    return code;
}

/* --from: the curve of these records. */
static int from(const struct flags *f, const struct record_list *list, struct base_error *e) {
    const struct scale_options o = {.mode = f->mode, .unit = f->unit};
    json_t *curve = NULL;
    int code = scale_curve(list->at, list->count, &o, &curve, e);
    if (!code) code = cli_sweep_show(&f->output, f->svg, curve, e);
    json_decref(curve);
    return code;
}

/* Opens what computes, and goes on to the points. Collective. */
static int start(const struct flags *f, struct comm *world, struct setup *s, const struct record_list *more,
                 struct base_error *e) {
    int code = f->dry_run ? BASE_OK : cli_guard_open(world, f->timeout, e);
    if (!code) code = cli_trainer_place(&s->trainer, world, s->request.threads, e);
    if (!code) code = cli_trainer_pin(&s->trainer, world, (enum measure_bind)f->bind, e);
    if (!code) code = sweep_units_open(&s->units, world, s->asked.unit, e);
    s->request.threads = s->trainer.place.threads;
    if (!code) code = comm_agree(world, choose(f, world, s, e), e);
    if (!code) code = f->dry_run ? dry_run(f, world, s, e) : sweep(f, world, s, more, e);
    sweep_units_close(&s->units);
    return code;
}

int command_scale(struct comm *world, int argc, char *const *argv, struct base_error *e) {
    static struct flags f; /* too large for a stack: room for thousands of words */
    static struct setup setup;
    struct record_list list = {0};
    f = (struct flags){.budget = NAN, .rate = NAN};
    int code = cli_options_read(&COMMAND, &f, argc, argv, e);
    if (!code && f.output.help) return cli_help(world, &COMMAND);
    if (!code && f.from && world->size > 1)
        code = base_fail(e, BASE_USAGE, "--from reads records and runs nothing: start it without mpirun");
    if (!code) code = cli_launch_check(&f.launch, e);
    if (!code && !f.from) code = resolve(&f, &setup, e);
    if (!code && !f.from) code = cli_trainer_read(&setup.trainer, "toise", e);
    if (!code && world->rank == 0) code = check_files(&f, &list, e);
    if (!(code = comm_agree(world, code, e))) code = f.from ? from(&f, &list, e) : start(&f, world, &setup, &list, e);
    record_list_close(&list);
    return code;
}
