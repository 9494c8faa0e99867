/* SPDX-License-Identifier: Apache-2.0
 *
 * The machine object of a record as lines: what a node is. */
#include <string.h>

#include "records/get.h"
#include "report/fact.h"

enum { ROWS = 16 };

static void label(FILE *out, const char *name, int first) {
    fprintf(out, "%-14s", first ? name : "");
}

/* A line for each element */
static void list(FILE *out, const json_t *machine, const char *name, const char *key) {
    const json_t *all = record_at(machine, key);
    const size_t count = json_array_size(all);
    char path[64];
    snprintf(path, sizeof path, "{%s}", key);
    if (!count) {
        label(out, name, 1);
        report_facts(out, machine, path);
        fputc('\n', out);
    }
    for (size_t i = 0; i < count && i < ROWS; i++) {
        label(out, name, !i);
        report_fact(out, key, json_array_get(all, i));
        fputc('\n', out);
    }
    if (count > ROWS) fprintf(out, "%-14sand %zu more, which the record has\n", "", count - ROWS);
}

/* A line for each mitigation; "Not affected" once for all that say so */
static void mitigations(FILE *out, const json_t *machine, const char *name, const char *key) {
    const json_t *all = record_at(machine, key);
    const char *which;
    json_t *text;
    int lines = 0, harmless = 0;
    json_object_foreach((json_t *)all, which, text) {
        if (json_is_string(text) && !strcmp(json_string_value(text), "Not affected")) continue;
        label(out, name, !lines++);
        report_clean(out, which, 64), fputs(": ", out);
        report_fact(out, "", text);
        fputc('\n', out);
    }
    json_object_foreach((json_t *)all, which, text) {
        if (!json_is_string(text) || strcmp(json_string_value(text), "Not affected") != 0) continue;
        if (!harmless) label(out, name, !lines++);
        fputs(harmless++ ? ", " : "not affected: ", out);
        report_clean(out, which, 64);
    }
    if (harmless) fputc('\n', out);
    if (!lines) list(out, machine, name, key);
}

/* A line of values; or, with `print`, of what is under the key `text`. */
static const struct {
    const char *name, *text;
    void (*print)(FILE *out, const json_t *machine, const char *name, const char *key);
} rows[] = {
    {"processor", "{cpu}; sockets {sockets}, cores {cores}, threads {cpus}; SMT: {smt}; virtual: {virtualised}", NULL},
    {"instructions", "{isa}; the CPU has {cpu_features}", NULL},
    {"caches",
     "L1d {caches.l1d_bytes} ({caches.l1d_cpus}), L2 {caches.l2_bytes} ({caches.l2_cpus}), L3 {caches.l3_bytes} "
     "({caches.l3_cpus}); in brackets the threads that share one",
     NULL},
    {"microcode", "{microcode}", NULL},
    {"clock",
     "governor {governor}, preference {frequency.energy_preference}, driver {frequency.driver}; "
     "{frequency.min_hz} to {frequency.limit_hz} of at most {max_hz}; boost: {frequency.boost}",
     NULL},
    {"memory", "{memory_bytes}; NUMA nodes {numa_nodes}, balancing: {numa_balancing}", NULL},
    {"NUMA nodes", "numa", list},
    {"distances", "numa_distances", list},
    {"modules",
     "{memory.modules} for {memory.slots} slots, {memory.installed_bytes} of {memory.type} at "
     "{memory.transfers_per_s}",
     NULL},
    {"pages",
     "{page_bytes}; transparent huge pages {transparent_huge_pages}, defrag {huge_pages.defrag}; reserved: "
     "{huge_pages.reserved}",
     NULL},
    {"board", "{board}", NULL},
    {"firmware", "{firmware.vendor} {firmware.version} of {firmware.date}", NULL},
    {"kernel", "{kernel}; command line: {command_line}", NULL},
    {"mitigations", "mitigations", mitigations},
    {"IOMMU", "{iommu.type}; groups {iommu.groups}", NULL},
    {"network", "interfaces", list},
    {"adapters", "adapters", list},
    {"CPU quota", "{cpu_quota.cpus} CPUs, in periods of {cpu_quota.period_s}", NULL},
    {"control group", "CPUs {cgroup.cpuset}; NUMA nodes {cgroup.memory_nodes}; memory limit {cgroup.memory_bytes}",
     NULL},
    {"BLAS", "{openblas.config}; core {openblas.core}", NULL},
    {"MPI", "{mpi}", NULL},
    {"transports",
     "pml {mpi_components.pml}; btl {mpi_components.btl}; mtl {mpi_components.mtl}; osc "
     "{mpi_components.osc}",
     NULL},
    {"build", "toise {versions.toise}, {compiler}, flags {compiler_flags}", NULL},
    {"libraries", "{libc}, hwloc {versions.hwloc}, jansson {versions.jansson}", NULL},
    {"Slurm job",
     "{slurm.job} in {slurm.partition}; nodes {slurm.nodes}, {slurm.node_list}; CPUs of this one {slurm.cpus_on_node}",
     NULL},
    {"environment", "{environment}", NULL},
};

void report_machine(FILE *out, const json_t *machine) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].print) {
            rows[i].print(out, machine, rows[i].name, rows[i].text);
            continue;
        }
        label(out, rows[i].name, 1);
        report_facts(out, machine, rows[i].text);
        fputc('\n', out);
    }
}
