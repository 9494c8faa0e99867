/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel with what its command line changes, the firmware, and the IOMMU. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "inventory/reader.h"

/* clang-format off */
/* Parameters that change speed; Linux, Documentation/admin-guide/kernel-parameters.txt. */
static const char *const parameters[] = {
    "amd_iommu", "amd_pstate", "cpufreq.default_governor", "cpuidle.off", "default_hugepagesz", "hugepages",
    "hugepagesz", "idle", "intel_idle.max_cstate", "intel_iommu", "intel_pstate", "iommu", "iommu.passthrough",
    "iommu.strict", "irqaffinity", "isolcpus", "kpti", "l1tf", "maxcpus", "mds", "mem", "mitigations", "nohz",
    "nohz_full", "nokaslr", "nopti", "nosmt", "nospectre_v1", "nospectre_v2", "nospec_store_bypass_disable",
    "nr_cpus", "numa", "numa_balancing", "preempt", "processor.max_cstate", "pti", "rcu_nocbs", "retbleed",
    "skew_tick", "spec_rstack_overflow", "spec_store_bypass_disable", "spectre_v2", "srbds", "transparent_hugepage",
    "tsx", "tsx_async_abort"};
/* clang-format on */

/* The kernel takes "-" in a name as "_". */
static bool matters(const char *text) {
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(text, "="), text);
    for (char *at = name; (at = strchr(at, '-')) != NULL;) *at = '_';
    return base_text_find(name, parameters, sizeof parameters / sizeof *parameters) >= 0;
}

/* In the order given: hugepages counts pages of the hugepagesz before it. What follows "--" is for init. */
static void put_command_line(struct inventory_reader *r) {
    char line[8192], *rest;
    const char *why = inventory_line(r, "proc/cmdline", line, sizeof line);
    json_t *list = json_array();
    for (char *at = strtok_r(line, " \t", &rest); at && strcmp(at, "--") != 0; at = strtok_r(NULL, " \t", &rest))
        if (matters(at)) json_array_append_new(list, json_string(at));
    inventory_put(r, "command_line", why ? NULL : json_incref(list), why);
    json_decref(list);
}

static void read_group(struct inventory_reader *r, const char *name, void *context) {
    char file[PATH_MAX], type[32];
    json_t *types = context;
    snprintf(file, sizeof file, "sys/kernel/iommu_groups/%.32s/type", name);
    inventory_line(r, file, type, sizeof type);
    json_object_set_new(types, type, json_integer(1 + json_integer_value(json_object_get(types, type))));
}

/* The domains' types, "identity" (passthrough), "DMA", "DMA-FQ" (lazy), once each. No groups: no IOMMU in use. */
static void put_iommu(struct inventory_reader *r) {
    json_t *types = json_object(), *count;
    char all[128] = "";
    const char *type, *why = inventory_list(r, "sys/kernel/iommu_groups", "", read_group, types);
    long long groups = 0;
    json_object_foreach(types, type, count) {
        if (type[0]) base_text_append(all, sizeof all, type);
        groups += json_integer_value(count);
    }
    if (!why && groups == 0) snprintf(all, sizeof all, "none");
    inventory_put_text(r, "iommu.type", all, why ? why : "kernel does not say");
    inventory_put(r, "iommu.groups", why ? NULL : json_integer(groups), why);
    json_decref(types);
}

void inventory_system(struct inventory_reader *r) {
    inventory_put_text(r, "host", r->topology->host, "absent");
    inventory_put_text(r, "board", r->topology->board, r->virtualised ? "virtual machine does not say" : "absent");
    inventory_put_line(r, "firmware.vendor", "sys/class/dmi/id/bios_vendor");
    inventory_put_line(r, "firmware.version", "sys/class/dmi/id/bios_version");
    inventory_put_line(r, "firmware.date", "sys/class/dmi/id/bios_date");
    inventory_put_text(r, "kernel", r->topology->kernel, "absent");
    put_command_line(r);
    put_iommu(r);
}
