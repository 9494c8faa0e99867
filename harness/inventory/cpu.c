/* SPDX-License-Identifier: Apache-2.0
 *
 * The processors: names, shape, the instruction sets that matter to training, microcode, and what the kernel does
 * against their vulnerabilities. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "inventory/reader.h"

/* Names of cores by implementer and part, from the Arm Architecture Reference Manual's MIDR_EL1 and each core's manual;
 * lscpu has the same table (util-linux, sys-utils/lscpu-arm.c). */
static const struct {
    const char *implementer, *part, *name;
} arm_cores[] = {
    {"0x41", "0xd07", "Arm Cortex-A57"},    {"0x41", "0xd08", "Arm Cortex-A72"},  {"0x41", "0xd0c", "Arm Neoverse-N1"},
    {"0x41", "0xd40", "Arm Neoverse-V1"},   {"0x41", "0xd49", "Arm Neoverse-N2"}, {"0x41", "0xd4f", "Arm Neoverse-V2"},
    {"0x41", "0xd83", "Arm Neoverse-V3AE"}, {"0x41", "0xd84", "Arm Neoverse-V3"}, {"0x41", "0xd8e", "Arm Neoverse-N3"},
    {"0x43", "0x0af", "Cavium ThunderX2"},  {"0x46", "0x001", "Fujitsu A64FX"},   {"0x48", "0xd01", "HiSilicon TSV110"},
    {"0xc0", "0xac3", "Ampere-1"},          {"0xc0", "0xac4", "Ampere-1a"},
};

/* /proc/cpuinfo's words for what matters to matmuls, on x86 and on Arm. */
static const char *const features[] = {
    "sse4_2",   "avx",         "f16c",        "fma",         "avx2",     "avx512f",       "avx512dq",  "avx512bw",
    "avx512vl", "avx512_vnni", "avx512_bf16", "avx512_fp16", "avx_vnni", "avx_vnni_int8", "avx10",     "amx_tile",
    "amx_int8", "amx_bf16",    "amx_fp16",    "asimd",       "asimdhp",  "asimddp",       "sve",       "sve2",
    "bf16",     "i8mm",        "svebf16",     "svei8mm",     "sme",      "sme2",          "smebf16f32"};

static void put_name(struct inventory_reader *r) {
    char path[PATH_MAX], implementer[16], part[16], name[64];
    const char *cpuinfo = inventory_path(r, path, "proc/cpuinfo"), *text = r->topology->cpu;
    base_file_field(cpuinfo, "CPU implementer", implementer, sizeof implementer);
    base_file_field(cpuinfo, "CPU part", part, sizeof part);
    if (!text[0] && implementer[0]) {
        snprintf(name, sizeof name, "Arm implementer %s part %s", implementer, part);
        text = name;
        for (size_t i = 0; i < sizeof arm_cores / sizeof *arm_cores; i++)
            if (!strcmp(arm_cores[i].implementer, implementer) && !strcmp(arm_cores[i].part, part))
                text = arm_cores[i].name;
    }
    inventory_put_text(r, "cpu", text, "absent");
}

static void put_features(struct inventory_reader *r, const char *flags) {
    json_t *list = json_array();
    for (size_t i = 0; i < sizeof features / sizeof *features; i++)
        if (base_text_has_word(flags, features[i])) json_array_append_new(list, json_string(features[i]));
    if (!flags[0]) json_decref(list);
    inventory_put(r, "cpu_features", flags[0] ? list : NULL, "absent");
}

/* Every value that any CPU has, once each: CPUs of one node should have the same. */
static void put_microcode(struct inventory_reader *r) {
    char path[PATH_MAX], all[128] = "", *line = NULL;
    size_t room = 0;
    FILE *file = fopen(inventory_path(r, path, "proc/cpuinfo"), "re");
    while (file && getline(&line, &room, file) >= 0) {
        const char *colon = strncmp(line, "microcode", 9) ? NULL : strchr(line, ':');
        if (!colon) continue;
        line[strcspn(line, "\n")] = '\0';
        const char *value = colon + 1 + strspn(colon + 1, " ");
        if (*value && !base_text_has_word(all, value)) base_text_append(all, sizeof all, value);
    }
    free(line);
    if (file) fclose(file);
    /* KVM shows guests these; Linux, arch/x86/kvm/vmx/vmx.c and svm/svm.c: microcode_version. Others show -1. */
    static const char *const made_up[] = {"0x1", "0x1000065", "0xffffffff"};
    const bool none = r->virtualised && base_text_find(all, made_up, 3) >= 0;
    inventory_put_text(r, "microcode", none ? "" : all, none ? "virtual machine does not say" : "absent");
}

static void put_mitigation(struct inventory_reader *r, const char *name, void *context) {
    char file[PATH_MAX], path[128];
    (void)context;
    snprintf(file, sizeof file, "sys/devices/system/cpu/vulnerabilities/%.200s", name);
    snprintf(path, sizeof path, "mitigations.%.100s", name);
    inventory_put_line(r, path, file);
}

static void put_smt(struct inventory_reader *r) {
    const struct base_topology *t = r->topology;
    const long long active = inventory_number(r, "sys/devices/system/cpu/smt/active");
    const bool known = active >= 0 || t->cores > 0;
    inventory_put(r, "smt", known ? json_boolean(active < 0 ? t->cpus > t->cores : active == 1) : NULL, "absent");
}

static void put_caches(struct inventory_reader *r) {
    const struct base_topology *t = r->topology;
    const struct {
        const char *path;
        long long n;
    } rows[] = {{"caches.l1d_bytes", t->l1d_bytes}, {"caches.l1d_cpus", t->l1d_cpus}, {"caches.l2_bytes", t->l2_bytes},
                {"caches.l2_cpus", t->l2_cpus},     {"caches.l3_bytes", t->l3_bytes}, {"caches.l3_cpus", t->l3_cpus}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) inventory_put_count(r, rows[i].path, rows[i].n, "absent");
}

void inventory_cpu(struct inventory_reader *r) {
    char path[PATH_MAX], flags[16384];
    const char *cpuinfo = inventory_path(r, path, "proc/cpuinfo"), *why;
    const bool x86 = base_file_field(cpuinfo, "flags", flags, sizeof flags);
    if (!x86) base_file_field(cpuinfo, "Features", flags, sizeof flags);
    r->virtualised = x86 && strstr(flags, " hypervisor") != NULL;
    put_name(r);
    inventory_put_count(r, "sockets", r->topology->sockets, "absent");
    inventory_put_count(r, "cores", r->topology->cores, "absent");
    inventory_put_count(r, "cpus", r->topology->cpus, "absent");
    put_smt(r);
    put_caches(r);
    put_features(r, flags);
    inventory_put_text(r, "unused_matrix_unit", base_topology_matrix_unit(flags), NULL);
    inventory_put(r, "virtualised", x86 ? json_boolean(r->virtualised) : NULL, "only x86 tells");
    put_microcode(r);
    why = inventory_list(r, "sys/devices/system/cpu/vulnerabilities", "", put_mitigation, NULL);
    if (why) inventory_put(r, "mitigations", NULL, why);
}
