/* SPDX-License-Identifier: Apache-2.0
 *
 * toise roofs: flags, the choice of rows, the measurement, the record and its page. */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/launch.h"
#include "cli/progress.h"
#include "commands/commands.h"
#include "guard/stop.h"
#include "inventory/fingerprint.h"
#include "measure/placement.h"
#include "measure/roofs.h"
#include "records/record.h"
#include "report/report.h"

struct flags {
    int64_t threads;
    double seconds, ci;
    struct cli_launch launch;
    struct cli_output output;
};

/* clang-format off */
static const struct cli_option OPTIONS[] = {
    {.kind = CLI_SHARED, .at = offsetof(struct flags, threads), .shared = cli_threads_option},
    {.name = "--seconds", .kind = CLI_NUMBER, .at = offsetof(struct flags, seconds), .min = 0.01, .max = 3600,
     .fallback = "0.5", .hint = "S",
     .help = "seconds for each roof and number of threads; under a CPU quota at least three windows"},
    {.name = "--ci", .kind = CLI_SHARE, .at = offsetof(struct flags, ci), .min = 0.001, .max = 1,
     .fallback = "10%", .hint = "X",
     .help = "a rate is inconclusive if its median's 95% interval has a larger relative half-width"},
    {.kind = CLI_SHARED, .at = offsetof(struct flags, launch), .shared = cli_launch_options},
    {.kind = CLI_SHARED, .at = offsetof(struct flags, output), .shared = cli_output_options},
    {.name = NULL},
};
/* clang-format on */

static const struct cli_command COMMAND = {
    .name = "roofs",
    .options = OPTIONS,
    .usage = "toise roofs [flags]\n\nWhat can this machine do at most? Measures the peak of each instruction set and "
             "dtype, and the bandwidth of copy,\ntriad and read within each cache and beyond them, on 1, 2, 4 ... all "
             "threads, and between NUMA nodes.",
    .notes = "Each rate is of all its threads at once. A roof that cannot be measured prints SKIP and why.\n"
             "TOISE_ISA (ref, neon, avx2, avx512, avx512bf16) caps the instruction set.\n",
};

/* The progress of a run. */
struct progress {
    struct cli_progress line;
    const struct measure_roofs *roofs;
    double began;
    int done, all;
};

static void on_row(void *context, int row, const char *name) {
    struct progress *p = context;
    const double spent = base_clock_now() - p->began;
    char left[32] = "", text[256];
    (void)row;
    if (p->done) base_text_duration(spent / p->done * (p->all - p->done), left, sizeof left);
    snprintf(text, sizeof text, "%d/%d %s%s%s%s", p->done + 1, p->all, name, p->done ? ", " : "", left,
             p->done ? " left" : "");
    p->done++;
    cli_progress_phase(&p->line, text);
}

/* The least free memory of the NUMA nodes of these CPUs, page cache included; negative: unknown. */
static double least_node_memory(const struct base_cpu *cpus, int count) {
    double least = -1;
    for (int i = 0; i < count; i++) {
        char path[96], key[48];
        snprintf(path, sizeof path, "/sys/devices/system/node/node%d/meminfo", cpus[i].node);
        snprintf(key, sizeof key, "Node %d MemFree", cpus[i].node);
        const long long free_kib = base_file_field_number(path, key);
        snprintf(key, sizeof key, "Node %d Inactive(file)", cpus[i].node);
        const long long cache_kib = base_file_field_number(path, key);
        if (free_kib < 0) continue;
        const double bytes = 1024.0 * (double)(free_kib + (cache_kib > 0 ? cache_kib : 0));
        if (least < 0 || bytes < least) least = bytes;
    }
    return least;
}

static int choose(struct measure_roofs *roofs, const struct measure_placement *place, bool pinned,
                  struct base_error *e) {
    struct base_cpu *cpus = calloc((size_t)place->cpus.count + 1, sizeof *cpus);
    if (!cpus) return base_fail(e, BASE_BROKEN, "out of memory for the list of CPUs");
    const int count = base_topology_cpus(&place->cpus, cpus, place->cpus.count);
    enum kernel_isa cap = KERNEL_ISA_HIGHEST;
    int code = BASE_OK;
    if (getenv("TOISE_ISA") && *getenv("TOISE_ISA")) code = cli_isa(&cap, e);
    const struct measure_roofs_limits limits = {.threads = place->threads,
                                                .pinned = pinned,
                                                .cap = cap,
                                                .memory = (double)base_memory_available(),
                                                .node_memory = least_node_memory(cpus, count)};
    if (!code) code = measure_roofs_choose(roofs, cpus, count, &limits, e);
    free(cpus);
    return code;
}

static int measure(struct measure_roofs *roofs, const struct flags *f, const struct base_topology *topology,
                   const struct measure_origin *origin, struct base_error *e) {
    FILE *page = cli_page(&f->output);
    struct progress progress = {.line = {.out = page, .terminal = report_terminal(page)}, .roofs = roofs};
    const struct measure_roofs_options options = {f->seconds, f->ci, on_row, &progress};
    for (int i = 0; i < roofs->count; i++) progress.all += !roofs->rows[i].skipped[0];
    progress.began = base_clock_now();
    guard_stop_watch();
    int code = measure_roofs_run(roofs, &options, e);
    cli_progress_close(&progress.line);
    if (code) return code;
    json_t *record = measure_roofs_record(roofs, &options, topology, origin);
    code = cli_emit(&f->output, record, e);
    report_roofs(page, record);
    if (!code) code = cli_verdict(record, e);
    json_decref(record);
    return code;
}

static int run(const struct flags *f, struct comm *world, const struct record_launch *launch, struct base_error *e) {
    struct base_topology topology;
    struct measure_placement place;
    struct measure_roofs roofs = {0};
    struct kernel_ops ops;
    enum kernel_isa isa;
    int code = cli_isa(&isa, e);
    if (!code) code = base_topology_read(&topology, e);
    if (!code) code = measure_place(&place, world, (int)f->threads, e);
    if (code) return code;
    cli_pin(&place, world, MEASURE_BIND_CORE);
    if (place.warning[0]) fprintf(stderr, "toise: %s\n", place.warning);
    kernel_select(&ops, isa, KERNEL_BACKEND_TOISE);
    struct measure_origin origin = {.launch = launch,
                                    .ranks = 1,
                                    .threads = place.threads,
                                    .threads_from = place.threads_from,
                                    .machine = inventory_fingerprint(&topology, &ops, isa)};
    code = choose(&roofs, &place, place.pinned, e);
    if (!code) cli_warn_rivals(&place, world);
    if (!code) code = measure(&roofs, f, &topology, &origin, e);
    measure_roofs_close(&roofs);
    json_decref(origin.machine);
    return code;
}

int command_roofs(struct comm *world, int argc, char *const *argv, struct base_error *e) {
    struct flags flags = {0};
    struct record_launch launch;
    int code = cli_options_read(&COMMAND, &flags, argc, argv, e);
    if (!code && flags.output.help) return cli_help(world, &COMMAND);
    if (!code) code = cli_launch_check(&flags.launch, e);
    if (!code) code = cli_alone(world, &COMMAND, e);
    if (!code) code = record_check(flags.output.out, e);
    if ((code = comm_agree(world, code, e))) return code;
    cli_launch_open(world, &flags.launch, &launch);
    return run(&flags, world, &launch, e);
}
