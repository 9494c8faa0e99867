/* SPDX-License-Identifier: Apache-2.0
 *
 * toise info: every node describes itself, rank 0 compares them, records and reports. */
#include "base/topology.h"
#include "cli/launch.h"
#include "commands/commands.h"
#include "inventory/fingerprint.h"
#include "inventory/nodes.h"
#include "records/record.h"
#include "records/set.h"
#include "report/report.h"

struct flags {
    struct cli_output output;
};

static const struct cli_option OPTIONS[] = {
    {.kind = CLI_SHARED, .at = offsetof(struct flags, output), .shared = cli_output_options},
    {.name = NULL},
};

static const struct cli_command COMMAND = {
    .name = "info",
    .options = OPTIONS,
    .usage = "toise info [flags]\nmpirun -n P toise info [flags]\n\nWhat are these nodes? One description for each "
             "node, and first what differs between them. Lists processors, memory,\nclocks, firmware, kernel, limits, "
             "network, libraries and the Slurm job. It measures nothing.",
    .notes =
        "What cannot be read is unknown, with the reason: \"permission\" (as root more is readable), \"absent\", or "
        "\"virtual\nmachine does not say\". Nodes with the same fingerprint have the same hardware, settings and "
        "libraries.\nTOISE_ISA (ref, neon, avx2, avx512, avx512bf16) caps the instruction set.\n",
};

/* Frees the machines. On rank 0. */
static int emit(const struct flags *f, const struct comm *world, const struct record_launch *launch, json_t *machines,
                struct base_error *e) {
    json_t *record = record_head("info", RECORD_PASSED, "");
    record_set(record, "launch", record_launch_json(launch));
    record_set(record, "machine", json_incref(json_array_get(machines, 0)));
    record_set(record, "workload", json_null());
    record_set(record, "layout", json_pack("{s:i, s:i}", "world", world->size, "nodes", world->nodes));
    record_set(record, "result", inventory_compare(machines));
    const int code = cli_emit(&f->output, record, e);
    report_info(cli_page(&f->output), record);
    json_decref(record);
    json_decref(machines);
    return code;
}

static int run(const struct flags *f, struct comm *world, struct base_error *e) {
    struct base_topology topology;
    struct kernel_ops ops;
    enum kernel_isa isa;
    struct record_launch launch;
    json_t *machines;
    int code = cli_isa(&isa, e);
    if (!code) code = base_topology_read(&topology, e);
    if ((code = comm_agree(world, code, e))) return code;
    cli_launch_open(world, &(struct cli_launch){0}, &launch);
    kernel_select(&ops, isa, KERNEL_BACKEND_TOISE);
    json_t *machine = inventory_fingerprint(&topology, &ops, isa);
    code = inventory_gather(world, machine, &machines, e);
    json_decref(machine);
    if (!code && world->rank == 0) code = emit(f, world, &launch, machines, e);
    return comm_agree(world, code, e);
}

int command_info(struct comm *world, int argc, char *const *argv, struct base_error *e) {
    struct flags flags = {0};
    int code = cli_options_read(&COMMAND, &flags, argc, argv, e);
    if (!code && flags.output.help) return cli_help(world, &COMMAND);
    if (!code && world->rank == 0) code = record_check(flags.output.out, e);
    if ((code = comm_agree(world, code, e))) return code;
    return run(&flags, world, e);
}
