/* SPDX-License-Identifier: Apache-2.0
 *
 * Words what differs between ranks, with the cure. */
#include "cli/alike.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inventory/alike.h"
#include "inventory/build.h"
#include "kernels.h"

static int alike_build(struct comm *world, struct base_error *e) {
    char mine[96], id[INVENTORY_BUILD_TEXT], say[512];
    inventory_build_id(id);
    snprintf(mine, sizeof mine, "toise %s build %.12s", TOISE_VERSION, id[0] ? id : "unknown");
    if (inventory_alike(world, mine, say, sizeof say)) return BASE_OK;
    return base_fail(e, BASE_USAGE, "the nodes run different programs: %s; start the same file on all of them", say);
}

static int alike_mpi(struct comm *world, struct base_error *e) {
    char mine[128], say[512];
    snprintf(mine, sizeof mine, "%.*s", (int)strcspn(comm_library(), ","), comm_library());
    if (inventory_alike(world, mine, say, sizeof say)) return BASE_OK;
    return base_fail(e, BASE_USAGE, "the nodes have different MPI libraries: %s; load the same module on all of them",
                     say);
}

/* Ranks with different arguments would do different work, or wait for each other for ever. */
static int alike_arguments(struct comm *world, int argc, char *const *argv, struct base_error *e) {
    size_t size = 1;
    char say[512];
    for (int i = 1; i < argc; i++) size += strlen(argv[i]) + 1;
    char *mine = calloc(1, size), *end = mine;
    for (int i = 1; mine && i < argc; i++) end = stpcpy(stpcpy(end, argv[i]), "\n");
    const bool alike = inventory_alike(world, mine ? mine : "", say, sizeof say);
    free(mine);
    if (alike) return BASE_OK;
    return base_fail(e, BASE_USAGE, "the ranks were given different flags; start all with the same command line");
}

int cli_alike_program(struct comm *world, int argc, char *const *argv, struct base_error *e) {
    int code = alike_build(world, e);
    if (!code) code = alike_mpi(world, e);
    return code ? code : alike_arguments(world, argc, argv, e);
}

int cli_alike_kernels(struct comm *world, const char *cpu, struct base_error *e) {
    const enum kernel_isa isa = kernel_isa_best();
    char say[512];
    double least = -(double)isa;
    world->ops->max(world, &least, 1);
    if (!inventory_alike(world, kernel_isa_name(isa), say, sizeof say))
        return base_fail(e, BASE_USAGE,
                         "the nodes would run different kernels: %s; set TOISE_ISA=%s for all ranks, or leave the "
                         "others out",
                         say, kernel_isa_name((enum kernel_isa) - least));
    if (!inventory_alike(world, cpu, say, sizeof say) && world->rank == 0)
        fprintf(stderr, "toise: the nodes' processors differ: %s; all wait for the slowest\n", say);
    return BASE_OK;
}
