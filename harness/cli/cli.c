/* SPDX-License-Identifier: Apache-2.0
 *
 * What the subcommands share. */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/options.h"

/* Help and the version are for every shell, whatever started it. */
static bool asks_only(int argc, char *const *argv) {
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h") || !strcmp(argv[i], "--version")) return true;
    return false;
}

int cli_open(struct comm *world, int argc, char *const *argv, struct base_error *e) {
    comm_serial(world);
    int code = comm_launched() ? comm_open(world, e) : BASE_OK;
    if (!code) code = cli_options_agree(world, argc, argv, e);
    if (code || asks_only(argc, argv)) return code;
    return comm_agree(world, comm_launcher_check(world, e), e);
}

void cli_launch_id(struct comm *world, char id[64]) {
    char date[32], host[24] = "";
    memset(id, 0, 64);
    base_clock_date(date);
    gethostname(host, sizeof host - 1);
    snprintf(id, 64, "%.20s-%.23s-%ld", date, host, (long)getpid());
    world->ops->broadcast(world, id, 64);
}

int cli_alone(const struct comm *world, const char *command, struct base_error *e) {
    if (world->size == 1) return BASE_OK;
    return base_fail(e, BASE_USAGE, "toise %s is one process, not %d ranks: start it without mpirun", command,
                     world->size);
}

int cli_isa(enum kernel_isa *isa, struct base_error *e) {
    *isa = kernel_isa_best();
    if (*isa != KERNEL_ISA_COUNT) return BASE_OK;
    return base_fail(e, BASE_USAGE, "TOISE_ISA=%s: unknown; take ref, avx2, avx512 or avx512bf16", getenv("TOISE_ISA"));
}

void cli_print_json(const json_t *value) {
    json_dumpf(value, stdout, JSON_COMPACT | JSON_REAL_PRECISION(12)), putchar('\n');
}

void cli_print_title(void *unused, const char *name, const char *title) {
    (void)unused;
    printf("%-24s %s\n", name, title);
}
