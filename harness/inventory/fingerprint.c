/* SPDX-License-Identifier: Apache-2.0
 *
 * Collects the machine's shape, the settings that change its speed, the libraries, and the selected kernels. */
#define _GNU_SOURCE
#include "inventory/fingerprint.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cgroup.h"
#include "base/file.h"
#include "comm/comm.h"

/* null if absent, "" or not UTF-8 */
static json_t *text(const char *s) {
    json_t *value = s != NULL && s[0] != '\0' ? json_string(s) : NULL;
    return value ? value : json_null();
}

/* A count or a size; null for 0, which means unknown */
static json_t *known(long long n) {
    return n > 0 ? json_integer(n) : json_null();
}

static json_t *line_of(const char *path) {
    char line[256];
    base_file_line(path, line, sizeof line);
    return text(line);
}

/* The bracketed choice in "always [madvise] never" */
static json_t *huge_pages(void) {
    char line[128];
    base_file_line("/sys/kernel/mm/transparent_hugepage/enabled", line, sizeof line);
    char *open = strchr(line, '['), *close = open ? strchr(open, ']') : NULL;
    if (close == NULL) return json_null();
    *close = '\0';
    return text(open + 1);
}

/* Whether a hypervisor is present: x86 CPUs have a flag for it; null elsewhere. */
static json_t *virtualised(void) {
    char flags[8192];
    if (!base_file_field("/proc/cpuinfo", "flags", flags, sizeof flags)) return json_null();
    return json_boolean(strstr(flags, " hypervisor") != NULL);
}

static json_t *simultaneous_threads(const struct base_topology *t) {
    long long active = base_file_number("/sys/devices/system/cpu/smt/active");
    if (active < 0 && t->cores == 0) return json_null();
    return json_boolean(active < 0 ? t->cpus > t->cores : active == 1);
}

/* The user's environment variables that change threads and libraries */
static json_t *environment(void) {
    static const char *const prefixes[] = {"OMP_", "GOMP_", "KMP_", "OPENBLAS_", "TOISE_"};
    json_t *object = json_object();
    for (char **entry = environ; *entry != NULL; entry++) {
        const char *equals = strchr(*entry, '=');
        char name[128];
        if (equals == NULL || (size_t)(equals - *entry) >= sizeof name) continue;
        snprintf(name, sizeof name, "%.*s", (int)(equals - *entry), *entry);
        for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
            if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
                json_object_set_new(object, name, text(equals + 1));
    }
    return object;
}

/* {"gemm": "avx512", ...} for every operation of the list. Each operation has a reference variant, so those entries
 * name them all. */
static json_t *variants(const struct kernel_ops *ops) {
    static const char *const operations[] = {
#define K(operation, isa) NAME_##isa(operation)
#define NAME_ref(operation) #operation,
#define NAME_avx2(operation)
#define NAME_avx512(operation)
#define NAME_avx512bf16(operation)
#define NAME_openblas(operation)
#include "list.h"
#undef K
    };
    json_t *object = json_object();
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        json_object_set_new(object, operations[i], text(kernel_variant(ops, operations[i])));
    return object;
}

static json_t *caches(const struct base_topology *t) {
    return json_pack("{s:o,s:o,s:o,s:o,s:o}", "l1d_bytes", known(t->l1d_bytes), "l2_bytes", known(t->l2_bytes),
                     "l2_cpus", known(t->l2_cpus), "l3_bytes", known(t->l3_bytes), "l3_cpus", known(t->l3_cpus));
}

/* null: no quota */
static json_t *quota(void) {
    struct base_cgroup_quota q;
    base_cgroup_quota(BASE_CGROUP_MEMBERSHIP, BASE_CGROUP_ROOT, &q);
    if (q.cpus <= 0) return json_null();
    return json_pack("{s:f,s:f,s:o}", "cpus", q.cpus, "period_s", q.period_s, "group", text(q.group));
}

static const char *compiler(void) {
#if defined(__clang__)
    return __VERSION__; /* starts with the compiler's name */
#else
    return "gcc " __VERSION__;
#endif
}

json_t *inventory_fingerprint(const struct base_topology *t, const struct kernel_ops *ops, enum kernel_isa isa) {
    json_t *machine = json_object();
    json_object_set_new(machine, "host", text(t->host));
    json_object_set_new(machine, "cpu", text(t->cpu));
    json_object_set_new(machine, "board", text(t->board));
    json_object_set_new(machine, "kernel", text(t->kernel));
    json_object_set_new(machine, "sockets", known(t->sockets));
    json_object_set_new(machine, "numa_nodes", known(t->numa_nodes));
    json_object_set_new(machine, "cores", known(t->cores));
    json_object_set_new(machine, "cpus", known(t->cpus));
    json_object_set_new(machine, "cpu_quota", quota());
    json_object_set_new(machine, "caches", caches(t));
    json_object_set_new(machine, "memory_bytes", known(t->memory_bytes));
    json_object_set_new(machine, "max_hz", t->max_hz > 0 ? json_real(t->max_hz) : json_null());
    json_object_set_new(machine, "governor", line_of("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"));
    json_object_set_new(machine, "smt", simultaneous_threads(t));
    json_object_set_new(machine, "transparent_huge_pages", huge_pages());
    json_object_set_new(machine, "virtualised", virtualised());
    json_object_set_new(machine, "isa", text(kernel_isa_name(isa)));
    json_object_set_new(machine, "bf16_native", json_boolean(kernel_bf16_native(ops)));
    json_object_set_new(machine, "unused_matrix_unit", text(base_topology_own_matrix_unit()));
    json_object_set_new(machine, "kernels", variants(ops));
    json_object_set_new(
        machine, "openblas",
        json_pack("{s:o,s:o}", "config", text(kernel_openblas_config()), "core", text(kernel_openblas_core())));
    json_object_set_new(machine, "mpi", text(comm_library()));
    json_object_set_new(machine, "compiler", text(compiler()));
    json_object_set_new(machine, "environment", environment());
    return machine;
}
