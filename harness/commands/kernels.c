/* SPDX-License-Identifier: Apache-2.0
 *
 * toise kernels: flags, cases, a check of OpenBLAS. Then each case is measured, recorded and reported. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/topology.h"
#include "bench/kernel_record.h"
#include "cli/backend.h"
#include "cli/catalog.h"
#include "cli/progress.h"
#include "commands/commands.h"
#include "commands/kernels_options.h"
#include "guard/stop.h"
#include "inventory/fingerprint.h"
#include "records/record.h"
#include "report/report.h"

enum { CHILD_S = 20 }; /* time limit of a process that tries OpenBLAS; it normally takes half a second */

/* One launch. */
struct launch {
    const struct flags *flags;
    struct bench_kernel_cases cases;
    struct bench_kernel_variants variants;
    struct cli_backend backend;
    char model[64]; /* "": the shapes come from a file */
    int64_t seq, micro_batch;
    struct bench_kernels bench;
    struct bench_kernel_origin origin;
    struct cli_progress progress;
    FILE *page;      /* for people */
    json_t *records; /* all so far */
    double began;
    struct record_launch launch;
    struct bench_openblas openblas;
    bool with_openblas; /* it is among the variants */
};

static int resolve_dtypes(const char *list, bool wanted[KERNEL_DTYPE_COUNT], struct base_error *e) {
    const char *words[8];
    char text[512];
    const int count = base_text_words(list ? list : "f32,bf16", text, sizeof text, words, 8);
    if (count < 1)
        return base_fail(e, BASE_USAGE, "--dtype: \"%.64s\" is not a list of dtypes; take f32, bf16 or f32,bf16", list);
    for (int w = 0; w < count; w++) {
        const bool f32 = !strcmp(words[w], "f32") || !strcmp(words[w], "fp32"), bf16 = !strcmp(words[w], "bf16");
        if (!f32 && !bf16)
            return base_fail(e, BASE_USAGE, "--dtype: unknown dtype \"%.64s\"; take f32, bf16 or f32,bf16", words[w]);
        wanted[f32 ? KERNEL_F32 : KERNEL_BF16] = true;
    }
    return BASE_OK;
}

static int model_cases(struct launch *l, const struct model_config *config, enum kernel_dtype dtype,
                       struct base_error *e) {
    const struct flags *f = l->flags;
    struct plan_request r = {.config = *config,
                             .dtype = dtype,
                             .seq = f->seq ? f->seq : cli_usual_seq(config),
                             .layout = plan_layout_data_parallel(1, f->micro_batch),
                             .global_batch = f->micro_batch,
                             .threads = 1};
    struct plan plan;
    const int code = plan_make(&plan, &r, e);
    if (code) return code;
    snprintf(l->model, sizeof l->model, "%s", r.config.name);
    l->seq = r.seq;
    l->micro_batch = r.layout.micro_batch;
    return bench_kernel_cases_plan(&l->cases, &plan, e);
}

/* The cases and variants that the flags ask for. */
static int resolve(struct launch *l, struct base_error *e) {
    const struct flags *f = l->flags;
    bool wanted[KERNEL_DTYPE_COUNT] = {false};
    enum kernel_isa best;
    struct model_config config;
    int code = resolve_dtypes(f->dtypes, wanted, e);
    if (!code) code = cli_isa(&best, e);
    if (!code) code = bench_kernel_variants_choose(&l->variants, f->variants, best, e);
    if (!code) code = cli_backend_read(&l->backend, f->backend, e);
    if (!code && l->backend.linked == KERNEL_BACKEND_OPENBLAS)
        code =
            base_fail(e, BASE_USAGE, "--backend openblas: it is a variant here: name it in --isa, or give cblas:PATH");
    if (!code && !f->shapes) code = cli_catalog_model(f->model, &config, e);
    for (int t = 0; t < KERNEL_DTYPE_COUNT && !code; t++)
        if (wanted[t])
            code = f->shapes ? bench_kernel_cases_read(&l->cases, f->shapes, (enum kernel_dtype)t, e)
                             : model_cases(l, &config, (enum kernel_dtype)t, e);
    if (!code && f->ops) code = bench_kernel_cases_keep(&l->cases, f->ops, e);
    if (code) return code;
    bench_kernel_variants_keep(&l->variants, &l->cases);
    if (!l->cases.count)
        return base_fail(e, BASE_USAGE,
                         "nothing to time: %s has no shape of these operations, dtypes and instruction sets; leave out "
                         "--op, --dtype or --isa",
                         f->shapes ? f->shapes : l->model);
    return BASE_OK;
}

static int emit(struct launch *l, json_t *record, struct base_error *e) {
    json_array_append_new(l->records, record);
    return cli_emit(&l->flags->output, record, e);
}

/* The terminal's progress line: the case, and the time left. */
static void show_progress(struct launch *l, int index) {
    const int count = l->cases.count;
    const double spent = base_clock_now() - l->began;
    char shape[64], left[32] = "", text[192];
    bench_kernel_shape_text(&l->cases.at[index], shape, sizeof shape);
    if (index) base_text_duration(spent / index * (count - index), left, sizeof left);
    snprintf(text, sizeof text, "%d/%d %s %s%s%s%s", index + 1, count, l->cases.at[index].op->name, shape,
             index ? ", " : "", left, index ? " left" : "");
    cli_progress_phase(&l->progress, text);
}

static int run_case(struct launch *l, int index, struct base_error *e) {
    const struct bench_kernel_case *c = &l->cases.at[index];
    struct bench_kernel_variant variants[BENCH_VARIANTS_MAX];
    struct bench_kernel_set set;
    const struct bench_kernel_options options = {l->flags->seconds, l->flags->launch.index ? INFINITY : l->flags->ci,
                                                 (uint64_t)l->flags->seed};
    const int count = bench_kernel_variants_of(&l->variants, c, variants);
    show_progress(l, index);
    int code = bench_kernel_measure(&l->bench, c, variants, count, &options, &set, e);
    cli_progress_close(&l->progress);
    for (int i = 0; i < set.count && !code; i++) {
        json_t *record = bench_kernel_record(&set, i, &l->origin);
        code = emit(l, record, e);
        report_kernel(l->page, record);
    }
    bench_kernel_set_close(&set);
    return code;
}

/* Drops the cases that do not fit into memory, with a warning. Returns the scratch bytes that the others need. */
static size_t keep_fitting(struct launch *l, const struct kernel_caches *caches, int threads) {
    struct bench_kernel_cases *cases = &l->cases;
    const double available = (double)base_memory_available();
    char need[32], have[32], shape[64];
    size_t scratch = 0;
    int kept = 0;
    for (int i = 0; i < cases->count; i++) {
        const size_t own = bench_kernel_scratch(&cases->at[i], threads);
        const double bytes = bench_kernel_need(&cases->at[i], caches, threads);
        if (available < 0 || bytes <= 0.9 * available) {
            cases->at[kept++] = cases->at[i];
            if (own > scratch) scratch = own;
            continue;
        }
        base_text_bytes(bytes, need, sizeof need);
        base_text_bytes(available, have, sizeof have);
        bench_kernel_shape_text(&cases->at[i], shape, sizeof shape);
        fprintf(stderr, "toise: left out %s %s: it needs %s of memory, but %s are free; take a smaller shape\n",
                cases->at[i].op->name, shape, need, have);
    }
    cases->count = kept;
    return scratch;
}

/* The exit code of all records: FAILED outranks inconclusive. */
static int exit_code(const json_t *records, struct base_error *e) {
    const int stopped = guard_stop_asked();
    int failed = 0, unsure = 0, points = 0;
    size_t i;
    json_t *r;
    json_array_foreach(records, i, r) {
        const char *status = record_text(r, "status");
        if (strcmp(record_text(r, "kind"), "kernel") != 0) continue;
        points++;
        failed += !strcmp(status, "FAILED");
        unsure += !strcmp(status, "INCONCLUSIVE");
    }
    if (failed) return base_fail(e, BASE_NO, "FAILED: %d of %d points; failed points have no rate", failed, points);
    if (stopped)
        return base_fail(e, BASE_INCONCLUSIVE, "inconclusive: stopped by %s after %d points", guard_stop_name(stopped),
                         points);
    if (unsure)
        return base_fail(
            e, BASE_INCONCLUSIVE,
            "inconclusive: %d of %d points are too noisy or have too few samples: raise --seconds or --ci, "
            "or quiet the machine",
            unsure, points);
    return BASE_OK;
}

static int measure(struct launch *l, const struct base_topology *topology, struct base_error *e) {
    int code = BASE_OK;
    l->origin.launch.machine = inventory_fingerprint(topology, &l->variants.at[0].ops, kernel_isa_best());
    cli_backend_record(&l->backend, l->origin.launch.machine);
    report_kernels_head(l->page, l->origin.launch.machine, l->bench.team.threads, l->origin.launch.threads_from);
    guard_stop_watch();
    for (int i = 0; i < l->cases.count && !code && !guard_stop_asked(); i++) code = run_case(l, i, e);
    if (!code && l->with_openblas) code = emit(l, bench_openblas_record(&l->openblas, &l->origin), e);
    if (!code) report_kernels_end(l->page, l->records);
    if (!code) code = exit_code(l->records, e);
    json_decref(l->origin.launch.machine);
    return code;
}

static int dry_run(const struct launch *l) {
    json_t *list = json_array();
    for (int i = 0; i < l->cases.count; i++) json_array_append_new(list, bench_kernel_case_json(&l->cases.at[i]));
    if (l->flags->output.json)
        cli_print_json(list);
    else
        report_kernels_plan(stdout, list);
    json_decref(list);
    return BASE_OK;
}

/* The child process that times one core type of OpenBLAS; see try_openblas. */
static int probe(const struct flags *f, struct base_error *e) {
    double rate;
    alarm(CHILD_S); /* ends it even if its parent is gone */
    int code = bench_openblas_probe((int)f->threads, &rate, e);
    if (!code) printf("{\"core\": \"%s\", \"flop_per_s\": %.6e}\n", kernel_openblas_core(), rate);
    return code;
}

/* Runs this program once for each core type of OpenBLAS. Must run before threads are pinned, as children inherit the
 * CPU affinity. */
static void try_openblas(struct launch *l, int count) {
    char program[] = "/proc/self/exe", name[] = "kernels", flag[] = "--openblas-probe", many[] = "--threads";
    char threads[16], *const command[] = {program, name, flag, many, threads, NULL};
    for (int i = 0; i < l->cases.count && !l->with_openblas; i++) {
        struct bench_kernel_variant own[BENCH_VARIANTS_MAX];
        const int variants = bench_kernel_variants_of(&l->variants, &l->cases.at[i], own);
        for (int k = 0; k < variants; k++) l->with_openblas = l->with_openblas || !strcmp(own[k].name, "openblas");
    }
    if (!l->with_openblas) return;
    snprintf(threads, sizeof threads, "%d", count);
    cli_progress_phase(&l->progress, "core types of OpenBLAS");
    bench_openblas_try(&l->openblas, command, CHILD_S);
    l->openblas.timed = l->flags->variants || !l->openblas.wrong;
    if (!l->openblas.timed) bench_kernel_variants_without_openblas(&l->variants);
    cli_progress_close(&l->progress);
    l->began = base_clock_now();
}

/* Adds the library of --backend to the variants. */
static int open_backend(struct launch *l, struct comm *world, const struct measure_placement *placement,
                        struct base_error *e) {
    struct kernel_ops ops;
    kernel_select(&ops, kernel_isa_best(), KERNEL_BACKEND_TOISE);
    const int code = cli_backend_open(&l->backend, &ops, placement, world, e);
    if (!code && l->backend.path) bench_kernel_variants_add_library(&l->variants, &ops);
    return code;
}

/* Pins the threads, and counts those of the libraries that multiply. */
static int pin(struct launch *l, struct comm *world, struct measure_placement *placement, struct base_error *e) {
    const bool timed = l->with_openblas && l->openblas.timed;
    struct cli_backend linked = {.linked = timed ? KERNEL_BACKEND_OPENBLAS : KERNEL_BACKEND_TOISE};
    if (timed) backend_linked(&linked.library, placement->threads);
    cli_pin(placement, world, (enum measure_bind)l->flags->bind);
    const int code = cli_backend_count(&l->backend, world, e);
    return code ? code : cli_backend_count(&linked, world, e);
}

static int run(struct launch *l, struct comm *world, struct base_error *e) {
    const struct flags *f = l->flags;
    struct base_topology topology;
    struct measure_placement placement;
    struct kernel_caches caches;
    if (f->dry_run && !f->explain) return dry_run(l);
    int code = base_topology_read(&topology, e);
    if (code) return code;
    if ((code = measure_place(&placement, world, (int)f->threads, e))) return code;
    if ((code = open_backend(l, world, &placement, e))) return code;
    if (!f->dry_run) try_openblas(l, placement.threads);
    if ((code = pin(l, world, &placement, e))) return code;
    l->origin.launch.threads = placement.threads, l->origin.launch.threads_from = placement.threads_from;
    if (placement.warning[0]) fprintf(stderr, "toise: %s\n", placement.warning);
    base_topology_caches(&topology, placement.threads, 1, &caches);
    if (f->explain) bench_kernel_variants_explain(l->page, &l->variants, &caches, placement.threads);
    if (f->dry_run) return dry_run(l);
    const size_t scratch = keep_fitting(l, &caches, placement.threads);
    if (!l->cases.count) return base_fail(e, BASE_USAGE, "no shape fits this machine's memory; take smaller shapes");
    if ((code = bench_kernels_open(&l->bench, &placement, &caches, scratch, e))) return code;
    cli_warn_rivals(&placement, world);
    code = measure(l, &topology, e);
    bench_kernels_close(&l->bench);
    return code;
}

/* Several ranks would compete for caches and memory while they are timed. */
static int check_world(const struct comm *world, struct base_error *e) {
    if (world->size == 1) return BASE_OK;
    return base_fail(e, BASE_USAGE,
                     "toise kernels is one process with threads, not %d ranks: start it without mpirun, or with -n 1 "
                     "on each node",
                     world->size);
}

static int launches(struct comm *world, const struct flags *f, int argc, char *const *argv, struct base_error *e) {
    const struct cli_launches asked = {.launches = f->launches, .ci = f->ci, .budget_s = f->budget};
    return cli_launches_run(world, &COMMAND, argc, argv, &asked, &f->launch, &f->output, e);
}

int command_kernels(struct comm *world, int argc, char *const *argv, struct base_error *e) {
    struct flags flags = {.budget = NAN};
    struct launch l = {.flags = &flags};
    int code = cli_options_read(&COMMAND, &flags, argc, argv, e);
    if (!code && flags.output.help) return cli_help(world, &COMMAND);
    if (!code && flags.probe) return probe(&flags, e);
    if (!code) code = cli_launch_check(&flags.launch, e);
    if (!code && flags.launches && !flags.launch.index) return launches(world, &flags, argc, argv, e);
    if (!code) code = check_world(world, e);
    if (!code) code = resolve(&l, e);
    if (!code) code = cli_options_apart(&COMMAND, &flags, e);
    if (!code) code = record_check(flags.output.out, e);
    if (!(code = comm_agree(world, code, e))) {
        l.page = cli_page(&flags.output);
        l.progress = (struct cli_progress){.out = l.page, .terminal = report_terminal(l.page)};
        l.records = json_array();
        l.began = base_clock_now();
        l.origin = (struct bench_kernel_origin){.model = l.model[0] ? l.model : NULL,
                                                .shapes = flags.shapes,
                                                .seq = l.seq,
                                                .micro_batch = l.micro_batch,
                                                .launch = {.launch = &l.launch, .ranks = 1}};
        cli_launch_open(world, &flags.launch, &l.launch);
        code = run(&l, world, e);
        json_decref(l.records);
    }
    bench_kernel_cases_close(&l.cases);
    return code;
}
