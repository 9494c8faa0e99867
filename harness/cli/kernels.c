/* SPDX-License-Identifier: Apache-2.0
 *
 * toise kernels: flags, cases, the OpenBLAS in use, then case by case: measure, record, report. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/topology.h"
#include "bench/kernel_record.h"
#include "cli/cli.h"
#include "cli/kernels_options.h"
#include "cli/progress.h"
#include "measure/fingerprint.h"
#include "records/record.h"
#include "report/report.h"

enum { CHILD_S = 20 }; /* a process that tries OpenBLAS takes half a second */

/* One launch. */
struct launch {
    const struct cli_kernels_flags *flags;
    struct cli_kernels_setup *setup;
    struct bench_kernels bench;
    struct bench_kernel_origin origin;
    struct cli_progress progress;
    FILE *page;      /* what people read */
    json_t *records; /* all so far */
    double began;
    char id[64];
    struct bench_openblas openblas;
    bool with_openblas; /* it is among what is asked for */
};

static int emit(struct launch *l, json_t *record, struct base_error *e) {
    const struct cli_kernels_flags *f = l->flags;
    json_array_append_new(l->records, record);
    int code = f->out ? record_append(f->out, record, e) : BASE_OK;
    if (f->json) cli_print_json(record);
    if (f->json && fflush(stdout) && !code) code = base_fail(e, BASE_BROKEN, "cannot write to standard output");
    return code;
}

/* The line of the terminal that says what runs and for how long still. */
static void show_progress(struct launch *l, int index) {
    const int count = l->setup->cases.count;
    const double spent = base_clock_now() - l->began;
    char shape[64], left[32] = "", text[192];
    bench_kernel_shape_text(&l->setup->cases.at[index], shape, sizeof shape);
    if (index) base_text_duration(spent / index * (count - index), left, sizeof left);
    snprintf(text, sizeof text, "%d/%d %s %s%s%s%s", index + 1, count, l->setup->cases.at[index].op->name, shape,
             index ? ", " : "", left, index ? " left" : "");
    cli_progress_phase(&l->progress, text);
}

static int run_case(struct launch *l, int index, struct base_error *e) {
    const struct bench_kernel_case *c = &l->setup->cases.at[index];
    struct bench_kernel_variant variants[BENCH_VARIANTS_MAX];
    struct bench_kernel_set set;
    const int count = cli_kernels_variants(l->setup, c, variants);
    show_progress(l, index);
    int code = bench_kernel_measure(&l->bench, c, variants, count, &l->setup->options, &set, e);
    cli_progress_close(&l->progress);
    for (int i = 0; i < set.count && !code; i++) {
        json_t *record = bench_kernel_record(&set, i, &l->origin);
        code = emit(l, record, e);
        report_kernel(l->page, record);
    }
    bench_kernel_set_close(&set);
    return code;
}

/* Drops the cases that memory is too small for, and says so; returns the scratch that the others need. */
static size_t keep_fitting(struct launch *l, const struct kernel_caches *caches, int threads) {
    struct bench_kernel_cases *cases = &l->setup->cases;
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
        fprintf(stderr, "toise: left out %s %s: it needs %s of memory, and %s are there; take a smaller shape\n",
                cases->at[i].op->name, shape, need, have);
    }
    cases->count = kept;
    return scratch;
}

/* The exit code that the records come to: FAILED before inconclusive. */
static int exit_code(const json_t *records, struct base_error *e) {
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
    if (failed) return base_fail(e, BASE_NO, "FAILED: %d of %d points, which have no rate", failed, points);
    if (unsure)
        return base_fail(e, BASE_INCONCLUSIVE,
                         "inconclusive: %d of %d points are too noisy or too few samples: raise --seconds or --width, "
                         "or quiet the machine",
                         unsure, points);
    return BASE_OK;
}

/* How matmuls are cut, and from what. */
static void explain(const struct launch *l, const struct kernel_caches *c, int threads) {
    char l1[32], l2[32], l3[32];
    base_text_bytes((double)c->l1, l1, sizeof l1);
    base_text_bytes((double)c->l2, l2, sizeof l2);
    base_text_bytes((double)c->l3, l3, sizeof l3);
    fprintf(l->page, "caches of a thread: L1 %s, L2 %s; L3 of all %d: %s (0 B: unknown)\n", l1, l2, threads, l3);
    for (int i = 0; i < l->setup->variant_count; i++) {
        const struct bench_kernel_variant *v = &l->setup->variants[i];
        if (v->packed || !strcmp(v->held, "openblas")) continue;
        for (int t = 0; t < KERNEL_DTYPE_COUNT; t++) {
            struct kernel_blocking cut;
            char text[2048];
            kernel_gemm_blocking(&v->ops, c, (enum kernel_dtype)t, &cut);
            kernel_blocking_explain(&cut, c, text, sizeof text);
            fprintf(l->page, "\nmatmul %s %s\n%s", v->name, t == KERNEL_F32 ? "f32" : "bf16", text);
        }
    }
    fputc('\n', l->page);
}

static int measure(struct launch *l, const struct base_topology *topology, struct base_error *e) {
    int code = BASE_OK;
    l->origin.launch.machine = measure_fingerprint(topology, &l->setup->variants[0].ops, kernel_isa_best());
    report_kernels_head(l->page, l->origin.launch.machine, l->bench.team.threads, l->origin.launch.threads_from);
    for (int i = 0; i < l->setup->cases.count && !code; i++) code = run_case(l, i, e);
    if (!code && l->with_openblas) code = emit(l, bench_openblas_record(&l->openblas, &l->origin), e);
    if (!code) report_kernels_end(l->page, l->records);
    if (!code) code = exit_code(l->records, e);
    json_decref(l->origin.launch.machine);
    return code;
}

static void dry_run(const struct cli_kernels_flags *f, const struct cli_kernels_setup *s) {
    json_t *list = json_array();
    for (int i = 0; i < s->cases.count; i++) json_array_append_new(list, bench_kernel_case_json(&s->cases.at[i]));
    if (f->json)
        cli_print_json(list);
    else
        report_kernels_plan(stdout, list);
    json_decref(list);
}

/* What this command starts itself as, once for each core type of OpenBLAS. */
static int probe(const struct cli_kernels_flags *f, struct base_error *e) {
    double rate;
    alarm(CHILD_S); /* were the one that started it gone, it would still end */
    int code = bench_openblas_probe((int)f->threads, &rate, e);
    if (!code) printf("{\"core\": \"%s\", \"flop_per_s\": %.6e}\n", kernel_openblas_core(), rate);
    return code;
}

/* Before threads are pinned: children inherit where this process may run. */
static void try_openblas(struct launch *l, int count) {
    char program[] = "/proc/self/exe", name[] = "kernels", flag[] = "--openblas-probe", many[] = "--threads";
    char threads[16], *const command[] = {program, name, flag, many, threads, NULL};
    for (int i = 0; i < l->setup->cases.count && !l->with_openblas; i++) {
        struct bench_kernel_variant own[BENCH_VARIANTS_MAX];
        const int variants = cli_kernels_variants(l->setup, &l->setup->cases.at[i], own);
        for (int k = 0; k < variants; k++) l->with_openblas = l->with_openblas || !strcmp(own[k].name, "openblas");
    }
    if (!l->with_openblas) return;
    snprintf(threads, sizeof threads, "%d", count);
    cli_progress_phase(&l->progress, "core types of OpenBLAS");
    bench_openblas_try(&l->openblas, command, CHILD_S);
    l->openblas.timed = l->flags->variants || !l->openblas.wrong;
    if (!l->openblas.timed) cli_kernels_without_openblas(l->setup);
    cli_progress_close(&l->progress);
    l->began = base_clock_now();
}

static int run(struct launch *l, struct comm *world, struct base_error *e) {
    const struct cli_kernels_flags *f = l->flags;
    struct base_topology topology;
    struct measure_placement placement;
    struct kernel_caches caches;
    if (f->dry_run && !f->explain) {
        dry_run(f, l->setup);
        return BASE_OK;
    }
    int code = base_topology_read(&topology, e);
    if (code) return code;
    if ((code = measure_place(&placement, world, (int)f->threads, e))) return code;
    if (!f->dry_run) try_openblas(l, placement.threads);
    measure_place_pin(&placement);
    l->origin.launch.threads = placement.threads, l->origin.launch.threads_from = placement.threads_from;
    if (placement.warning[0]) fprintf(stderr, "toise: %s\n", placement.warning);
    base_topology_caches(&topology, placement.threads, 1, &caches);
    if (f->explain) explain(l, &caches, placement.threads);
    if (f->dry_run) {
        dry_run(f, l->setup);
        return BASE_OK;
    }
    const size_t scratch = keep_fitting(l, &caches, placement.threads);
    if (!l->setup->cases.count) return base_fail(e, BASE_USAGE, "no shape fits this machine's memory");
    if ((code = bench_kernels_open(&l->bench, &placement, &caches, scratch, e))) return code;
    code = measure(l, &topology, e);
    bench_kernels_close(&l->bench);
    return code;
}

/* One process: ranks side by side would be timed while they take each other's caches and memory. */
static int check_world(const struct comm *world, struct base_error *e) {
    if (world->size == 1) return BASE_OK;
    return base_fail(e, BASE_USAGE,
                     "toise kernels is one process with threads, not %d ranks: start it without mpirun, or with -n 1 "
                     "on each node",
                     world->size);
}

int cli_kernels(struct comm *world, int argc, char *const *argv, struct base_error *e) {
    struct cli_kernels_flags flags;
    struct cli_kernels_setup setup = {0};
    int code = cli_kernels_flags_parse(&flags, argc, argv, e);
    if (!code && flags.help) {
        if (world->rank == 0) cli_kernels_flags_help(stdout);
        return BASE_OK;
    }
    if (!code && flags.probe) return probe(&flags, e);
    if (!code) code = check_world(world, e);
    if (!code) code = cli_kernels_resolve(&flags, &setup, e);
    if (!code && flags.out) code = flags.dry_run ? record_ask(flags.out, e) : record_check(flags.out, e);
    if ((code = comm_agree(world, code, e))) {
        bench_kernel_cases_close(&setup.cases);
        return code;
    }
    FILE *page = flags.json ? stderr : stdout;
    struct launch l = {.flags = &flags,
                       .setup = &setup,
                       .page = page,
                       .records = json_array(),
                       .progress = {.out = page, .terminal = report_terminal(page)},
                       .began = base_clock_now(),
                       .origin = {.model = setup.model[0] ? setup.model : NULL,
                                  .shapes = flags.shapes,
                                  .seq = setup.seq,
                                  .micro_batch = setup.micro_batch,
                                  .launch = {.launch = l.id, .ranks = 1, .nodes = 1}}};
    cli_launch_id(world, l.id);
    code = run(&l, world, e);
    json_decref(l.records);
    bench_kernel_cases_close(&setup.cases);
    return code;
}
