/* SPDX-License-Identifier: Apache-2.0
 *
 * The machine object of a record: of this machine, and of made-up ones whose files say what it must hold. What is not
 * there is null, and says why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inventory/fingerprint.h"
#include "records/get.h"
#include "unit/support/tree.h"

/* The made-up machine as toise describes it */
static json_t *describe(void) {
    struct base_topology t;
    struct kernel_ops ops;
    kernel_select(&ops, KERNEL_ISA_ref, KERNEL_BACKEND_TOISE);
    base_topology_read_under(tree, &t);
    return inventory_fingerprint_under(tree, &t, &ops, KERNEL_ISA_ref);
}

static void says(const json_t *machine, const char *path, const char *text) {
    if (strcmp(record_text(machine, path), text) != 0)
        fail_msg("%s: \"%s\", not \"%s\"", path, record_text(machine, path), text);
}
static void counts(const json_t *machine, const char *path, double n) {
    if (record_real(machine, path) != n) fail_msg("%s: %.12g, not %.12g", path, record_real(machine, path), n);
}
/* The path is null because of `why`. */
static void lacks(const json_t *machine, const char *path, const char *why) {
    const char *said = record_text(record_at(machine, "unknown"), path);
    if (!json_is_null(record_at(machine, path))) fail_msg("%s is not null", path);
    if (strcmp(said, why) != 0) fail_msg("%s is unknown as \"%s\", not \"%s\"", path, said, why);
}
/* The text of a list, in JSON */
static void lists(const json_t *machine, const char *path, const char *json) {
    char *text = json_dumps(record_at(machine, path), JSON_COMPACT | JSON_ENCODE_ANY);
    if (!text || strcmp(text, json) != 0) fail_msg("%s: %s, not %s", path, text ? text : "none", json);
    free(text);
}

static void fingerprints_name_what_ran(void **state) {
    (void)state;
    struct kernel_ops ops;
    struct base_topology t = {
        .host = "n1", .cpu = "made up", .sockets = 2, .l2_bytes = 1 << 20, .memory_bytes = 1LL << 40};
    kernel_select(&ops, KERNEL_ISA_ref, KERNEL_BACKEND_OPENBLAS);
    setenv("OMP_TOISE_TEST", "a,b", 1);
    setenv("HOME_TOISE_TEST", "secret", 1);
    json_t *machine = inventory_fingerprint(&t, &ops, KERNEL_ISA_ref), *kernels = json_object_get(machine, "kernels");
    assert_string_equal(json_string_value(json_object_get(machine, "host")), "n1");
    assert_int_equal(json_integer_value(json_object_get(machine, "sockets")), 2);
    assert_true(json_integer_value(json_object_get(machine, "memory_bytes")) == (json_int_t)1 << 40);
    assert_true(json_is_null(json_object_get(machine, "board")));
    const json_t *quota = json_object_get(machine, "cpu_quota"); /* this machine's quota, or none */
    assert_true(json_is_null(quota) || json_real_value(json_object_get(quota, "cpus")) > 0);
    assert_string_equal(json_string_value(json_object_get(machine, "isa")), "ref");
    assert_string_equal(json_string_value(json_object_get(kernels, "gemm")), "openblas");
    assert_string_equal(json_string_value(json_object_get(kernels, "adamw")), "ref");
    const char *name;
    json_t *value;
    json_object_foreach(kernels, name, value) assert_true(json_is_string(value));
    json_t *environment = json_object_get(machine, "environment");
    assert_string_equal(json_string_value(json_object_get(environment, "OMP_TOISE_TEST")), "a,b");
    assert_null(json_object_get(environment, "HOME_TOISE_TEST"));
    assert_true(json_is_string(json_object_get(machine, "compiler")) &&
                json_is_string(json_object_get(machine, "mpi")));
    assert_int_equal(strlen(record_text(machine, "fingerprint")), 16);
    json_decref(machine);
}

#define CPU "sys/devices/system/cpu/"

/* Two sockets of four NUMA nodes each (NPS4), two threads a core */
static const struct tree_shape epyc = {.sockets = 2,
                                       .nodes = 8,
                                       .cores = 8,
                                       .threads = 2,
                                       .l3_cores = 2,
                                       .l1 = "32K",
                                       .l2 = "1024K",
                                       .l3 = "32768K",
                                       .node_kib = 98304000,
                                       .cpuinfo = "vendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC 9654\n"
                                                  "microcode\t: 0xa101148\nflags\t\t: fpu fma avx2 avx512f "
                                                  "avx512_bf16\n"};

static void put_policy(int cpu, const char *governor) {
    char path[128];
    const char *const files[][2] = {{"scaling_driver", "amd-pstate-epp\n"},
                                    {"scaling_governor", governor},
                                    {"energy_performance_preference", "performance\n"},
                                    {"scaling_min_freq", "1500000\n"},
                                    {"scaling_max_freq", "3700000\n"}};
    for (int i = 0; i < 5; i++) {
        snprintf(path, sizeof path, CPU "cpufreq/policy%d/%s", cpu, files[i][0]);
        tree_put(path, files[i][1]);
    }
    snprintf(path, sizeof path, CPU "cpu%d/cpufreq/cpuinfo_max_freq", cpu);
    tree_put(path, "3700000\n");
}

/* SMBIOS: a BIOS structure with texts, memory devices, an empty slot, the end */
static void put_modules(size_t cut) {
    static const uint8_t device[] = {17,   0x28, 1, 0, 0, 0, 0, 0, 64, 0, 64, 0,    0x00, 0x40, 9, 0, 0, 0, 0x22, 0, 0,
                                     0xc0, 0x12, 0, 0, 0, 0, 0, 0, 0,  0, 0,  0xc0, 0x12, 0,    0, 0, 0, 0, 0,    0, 0};
    uint8_t table[512] = {0, 5, 0, 0, 1, 'A', 'M', 'I', 0, 0}, *end = table + 10;
    for (int i = 0; i < 3; i++) {
        memcpy(end, device, sizeof device);
        if (i == 1) end[0x0c] = end[0x0d] = 0;                                     /* empty */
        if (i == 2) memcpy(end + 0x0c, (uint8_t[]){0xff, 0x7f}, 2), end[0x1e] = 1; /* 65536 MiB, as extended size */
        if (i == 2) end[0x20] = 0x68, end[0x21] = 0x10;                            /* 4200 MT/s */
        end += sizeof device;
    }
    memcpy(end, (uint8_t[]){127, 4, 0, 0, 0, 0}, 6);
    tree_put_bytes("sys/firmware/dmi/tables/DMI", table, cut ? cut : (size_t)(end + 6 - table));
}

static void put_epyc(void) {
    tree_shape(&epyc);
    for (int i = 0; i < 16; i++) put_policy(i, "performance\n");
    put_modules(0);
    tree_put(CPU "cpufreq/boost", "1\n");
    tree_put(CPU "vulnerabilities/meltdown", "Not affected\n");
    tree_put(CPU "vulnerabilities/spectre_v2", "Mitigation: Retpolines\n");
    tree_put("proc/sys/kernel/hostname", "n1\n");
    tree_put("proc/sys/kernel/ostype", "Linux\n");
    tree_put("proc/sys/kernel/osrelease", "5.14.0-427.el9.x86_64\n");
    tree_put("proc/sys/kernel/numa_balancing", "1\n");
    tree_put("proc/cmdline", "BOOT_IMAGE=/vmlinuz root=UUID=1 ro mitigations=off iommu=pt isolcpus=1 "
                             "transparent-hugepage=never hugepagesz=1G hugepages=4 -- nosmt\n");
    tree_put("proc/self/smaps", "1000-2000 r--p 0 00:00 0\nSize: 4 kB\nKernelPageSize:        4 kB\n");
    tree_put("sys/class/dmi/id/sys_vendor", "Supermicro\n");
    tree_put("sys/class/dmi/id/product_name", "AS-1125\n");
    tree_put("sys/class/dmi/id/bios_vendor", "AMI\n");
    tree_put("sys/class/dmi/id/bios_version", "1.9\n");
    tree_put("sys/class/dmi/id/bios_date", "05/21/2024\n");
    tree_put("sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n");
    tree_put("sys/kernel/mm/transparent_hugepage/defrag", "always defer [madvise] never\n");
    tree_put("sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "0\n");
    tree_put("sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages", "4\n");
    tree_put("sys/kernel/iommu_groups/0/type", "identity\n");
    tree_put("sys/kernel/iommu_groups/1/type", "identity\n");
    tree_put("sys/class/net/lo/speed", "");
    tree_put("sys/class/net/eth0/operstate", "up\n");
    tree_put("sys/class/net/eth0/speed", "25000\n");
    tree_put("sys/class/net/eth0/mtu", "9000\n");
    tree_link("sys/class/net/eth0/device/driver", "../../../bus/pci/drivers/mlx5_core");
    tree_put("sys/class/net/eth10/operstate", "down\n");
    tree_put("sys/class/net/eth10/speed", "-1\n");
    tree_link("sys/class/net/eth10/device/driver", "../../../bus/pci/drivers/igb");
    tree_put("sys/class/infiniband/mlx5_0/fw_ver", "20.39.2048\n");
    tree_put("sys/class/infiniband/mlx5_0/ports/1/state", "4: ACTIVE\n");
    tree_put("sys/class/infiniband/mlx5_0/ports/1/rate", "200 Gb/sec (4X HDR)\n");
    tree_link("sys/class/infiniband/mlx5_0/device/driver", "../../../bus/pci/drivers/mlx5_core");
}

static void two_sockets(void **state) {
    (void)state;
    put_epyc();
    json_t *m = describe();
    says(m, "host", "n1");
    says(m, "cpu", "AMD EPYC 9654");
    says(m, "board", "Supermicro AS-1125");
    says(m, "kernel", "Linux 5.14.0-427.el9.x86_64");
    says(m, "microcode", "0xa101148");
    counts(m, "sockets", 2);
    counts(m, "cores", 8);
    counts(m, "cpus", 16);
    assert_true(record_true(m, "smt"));
    assert_true(json_is_false(record_at(m, "virtualised")));
    counts(m, "caches.l1d_cpus", 2);
    counts(m, "caches.l2_bytes", 1 << 20);
    counts(m, "caches.l3_cpus", 4);
    lists(m, "cpu_features", "[\"fma\",\"avx2\",\"avx512f\",\"avx512_bf16\"]");
    counts(m, "numa_nodes", 8);
    counts(json_array_get(record_at(m, "numa"), 7), "memory_bytes", 98304000.0 * 1024);
    says(json_array_get(record_at(m, "numa"), 1), "cpus", "1,9");
    assert_string_equal(json_string_value(json_array_get(record_at(m, "numa_distances"), 5)),
                        "32 32 32 32 12 10 12 12");
    assert_true(record_true(m, "numa_balancing"));
    json_decref(m);
}

static void settings(void **state) {
    (void)state;
    put_epyc();
    json_t *m = describe();
    says(m, "governor", "performance");
    says(m, "frequency.driver", "amd-pstate-epp");
    counts(m, "max_hz", 3.7e9);
    counts(m, "frequency.min_hz", 1.5e9);
    assert_true(record_true(m, "frequency.boost"));
    says(m, "firmware.version", "1.9");
    says(m, "iommu.type", "identity");
    counts(m, "iommu.groups", 2);
    says(m, "mitigations.spectre_v2", "Mitigation: Retpolines");
    lists(m, "command_line",
          "[\"mitigations=off\",\"iommu=pt\",\"isolcpus=1\",\"transparent-hugepage=never\",\"hugepagesz=1G\","
          "\"hugepages=4\"]");
    says(m, "transparent_huge_pages", "always");
    says(m, "huge_pages.defrag", "madvise");
    lists(m, "huge_pages.reserved", "[{\"size_bytes\":1073741824,\"pages\":4}]");
    counts(m, "page_bytes", 4096);
    assert_true(json_is_null(record_at(m, "cpu_quota")) && json_is_null(record_at(m, "cgroup.memory_bytes")));
    json_decref(m);
    /* a mixture is no governor */
    put_policy(5, "powersave\n");
    m = describe();
    says(m, "governor", "performance on 15, powersave on 1");
    json_decref(m);
}

static void devices(void **state) {
    (void)state;
    put_epyc();
    json_t *m = describe();
    counts(m, "memory.modules", 2);
    counts(m, "memory.slots", 3);
    counts(m, "memory.installed_bytes", (16384 + 65536) * 1048576.0);
    says(m, "memory.type", "DDR5");
    counts(m, "memory.transfers_per_s", 4.2e9);
    lists(m, "interfaces",
          "[{\"name\":\"eth0\",\"driver\":\"mlx5_core\",\"up\":true,\"bit_per_s\":25000000000.0,\"mtu\":9000},"
          "{\"name\":\"eth10\",\"driver\":\"igb\",\"up\":false,\"bit_per_s\":null}]");
    says(record_at(m, "unknown"), "interfaces.eth10.bit_per_s", "link is not up");
    lists(m, "adapters",
          "[{\"name\":\"mlx5_0/1\",\"driver\":\"mlx5_core\",\"up\":true,\"bit_per_s\":200000000000.0,"
          "\"firmware\":\"20.39.2048\"}]");
    json_decref(m);
}

/* Wherever the table is cut, nothing beyond it is read, and no module is made up. */
static void cut_tables(void **state) {
    (void)state;
    tree_shape(&epyc);
    for (size_t cut = 1; cut < 140; cut += 3) {
        put_modules(cut);
        json_t *m = describe();
        assert_true(json_is_null(record_at(m, "memory.modules")) || record_real(m, "memory.modules") <= 2);
        json_decref(m);
    }
}

/* One socket of an Arm server whose firmware tells nothing: no SMT, pages of 64 KiB, a distance of its own */
static void put_grace(void) {
    tree_shape(&(struct tree_shape){.sockets = 1,
                                    .nodes = 1,
                                    .cores = 8,
                                    .threads = 1,
                                    .l3_cores = 8,
                                    .l1 = "64K",
                                    .l2 = "1024K",
                                    .l3 = "116736K",
                                    .node_kib = 500000000,
                                    .cpuinfo = "BogoMIPS\t: 2000.00\nFeatures\t: fp asimd sve2 i8mm bf16 svebf16\n"
                                               "CPU implementer\t: 0x41\nCPU part\t: 0xd4f\n"});
    tree_put("proc/self/smaps", "KernelPageSize:       64 kB\n");
}

static void arm(void **state) {
    (void)state;
    put_grace();
    json_t *m = describe();
    says(m, "cpu", "Arm Neoverse-V2");
    counts(m, "cores", 8);
    counts(m, "cpus", 8);
    assert_true(json_is_false(record_at(m, "smt")));
    counts(m, "caches.l3_bytes", 116736 * 1024.0);
    counts(m, "page_bytes", 65536);
    lists(m, "cpu_features", "[\"asimd\",\"sve2\",\"bf16\",\"i8mm\",\"svebf16\"]");
    lacks(m, "virtualised", "only x86 tells");
    static const char *const absent[] = {"firmware.version",
                                         "governor",
                                         "frequency.boost",
                                         "memory.type",
                                         "microcode",
                                         "mitigations",
                                         "transparent_huge_pages",
                                         "interfaces",
                                         "iommu.type",
                                         "board",
                                         "command_line",
                                         "kernel",
                                         "max_hz"};
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++) lacks(m, absent[i], "absent");
    json_decref(m);
    /* a part that nobody has named yet is not given another's name */
    tree_put("proc/cpuinfo", "processor\t: 0\nFeatures\t: fp\nCPU implementer\t: 0x41\nCPU part\t: 0xfff\n");
    m = describe();
    says(m, "cpu", "Arm implementer 0x41 part 0xfff");
    json_decref(m);
}

static void virtual_machine(void **state) {
    (void)state;
    tree_shape(&(struct tree_shape){.sockets = 1,
                                    .nodes = 1,
                                    .cores = 2,
                                    .threads = 1,
                                    .l3_cores = 2,
                                    .l1 = "32K",
                                    .l2 = "512K",
                                    .l3 = "8192K",
                                    .node_kib = 4000000,
                                    .cpuinfo = "model name\t: AMD EPYC\nmicrocode\t: 0x1000065\n"
                                               "flags\t: fpu avx2 hypervisor\n"});
    tree_put("sys/class/net/ens3/operstate", "up\n");
    tree_put("sys/class/net/ens3/speed", "-1\n");
    tree_link("sys/class/net/ens3/device/driver", "../../drivers/virtio_net");
    json_t *m = describe();
    assert_true(record_true(m, "virtualised"));
    static const char *const silent[] = {"microcode", "governor", "max_hz", "firmware.version",
                                         "memory.transfers_per_s"};
    for (size_t i = 0; i < sizeof silent / sizeof *silent; i++) lacks(m, silent[i], "virtual machine does not say");
    says(record_at(m, "unknown"), "interfaces.ens3.bit_per_s", "virtual machine does not say");
    json_decref(m);
}

static void containers(void **state) {
    (void)state;
    put_grace();
    tree_put("proc/self/cgroup", "0::/box/task\n");
    tree_put("sys/fs/cgroup/box/cpu.max", "400000 100000\n");
    tree_put("sys/fs/cgroup/box/memory.max", "8589934592\n");
    tree_put("sys/fs/cgroup/box/task/memory.max", "max\n");
    tree_put("sys/fs/cgroup/box/task/cpuset.cpus.effective", "0-7,16\n");
    tree_put("sys/fs/cgroup/box/task/cpuset.mems.effective", "0\n");
    json_t *m = describe();
    counts(m, "cpu_quota.cpus", 4);
    says(m, "cpu_quota.group", "/sys/fs/cgroup/box");
    counts(m, "cgroup.memory_bytes", 8589934592.0);
    says(m, "cgroup.cpuset", "0-7,16");
    counts(m, "cgroup.cpus", 9);
    counts(m, "cgroup.memory_nodes", 1);
    json_decref(m);
}

static void containers_of_version_1(void **state) {
    (void)state;
    put_grace();
    tree_put("proc/self/cgroup", "4:memory:/box\n3:cpuset:/box\n2:cpu,cpuacct:/box\n");
    tree_put("sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us", "150000\n");
    tree_put("sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us", "100000\n");
    tree_put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    tree_put("sys/fs/cgroup/memory/box/memory.limit_in_bytes", "1073741824\n");
    tree_put("sys/fs/cgroup/cpuset/box/cpuset.effective_cpus", "2-3\n");
    tree_put("sys/fs/cgroup/cpuset/box/cpuset.effective_mems", "0-1\n");
    json_t *m = describe();
    counts(m, "cpu_quota.cpus", 1.5);
    counts(m, "cgroup.memory_bytes", 1 << 30);
    counts(m, "cgroup.cpus", 2);
    counts(m, "cgroup.memory_nodes", 2);
    json_decref(m);
}

/* As a user to whom root's files are closed; the fingerprint does not depend on who reads */
static void closed_files(void **state) {
    (void)state;
    char path[128], fingerprint[32];
    put_epyc();
    json_t *m = describe();
    snprintf(fingerprint, sizeof fingerprint, "%s", record_text(m, "fingerprint"));
    json_decref(m);
    snprintf(path, sizeof path, "%s/sys/firmware/dmi/tables/DMI", tree);
    assert_int_equal(chmod(path, 0), 0);
    tree_put("sys/devices/system/edac/mc/mc0/dimm0/dimm_mem_type", "Registered-DDR5\n");
    tree_put("sys/devices/system/edac/mc/mc0/dimm0/size", "32768\n");
    const pid_t child = fork();
    if (child == 0) {
        if (geteuid() == 0 && seteuid(65534)) _exit(77);
        m = describe();
        lacks(m, "memory.transfers_per_s", "permission");
        says(m, "memory.type", "DDR5");
        counts(m, "memory.modules", 1);
        says(m, "fingerprint", fingerprint);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) print_message("SKIP: closed files: root cannot become another user here\n");
    assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77);
}

/* Whether the fingerprint is another one after a file has another text */
static bool changes(const char *path, const char *text, const char *before) {
    tree_put(path, text);
    json_t *m = describe();
    const bool other = strcmp(record_text(m, "fingerprint"), before) != 0;
    json_decref(m);
    return other;
}

static void fingerprints(void **state) {
    (void)state;
    static const struct {
        const char *path, *text;
        bool matters;
    } edits[] = {
        {"proc/sys/kernel/hostname", "n2\n", false},
        {"sys/devices/system/node/node0/meminfo", "Node 0 MemTotal: 98303000 kB\n", false},
        {"proc/cmdline",
         "root=UUID=2 mitigations=off iommu=pt isolcpus=1 transparent-hugepage=never hugepagesz=1G hugepages=4\n",
         false},
        {"sys/firmware/dmi/tables/DMI", "", false},
        {CPU "cpufreq/policy3/scaling_governor", "powersave\n", true},
        {CPU "cpufreq/boost", "0\n", true},
        {"proc/sys/kernel/osrelease", "6.1\n", true},
        {"sys/class/dmi/id/bios_version", "2.0\n", true},
        {"sys/kernel/iommu_groups/1/type", "DMA\n", true},
        {"sys/kernel/mm/transparent_hugepage/enabled", "always madvise [never]\n", true},
        {CPU "vulnerabilities/meltdown", "Mitigation: PTI\n", true},
        {"sys/class/net/eth0/speed", "10000\n", true},
        {"sys/devices/system/node/node0/meminfo", "Node 0 MemTotal: 49152000 kB\n", true}};
    char before[32] = "";
    put_epyc();
    assert_true(changes("proc/sys/kernel/hostname", "n1\n", before));
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        json_t *m = describe();
        snprintf(before, sizeof before, "%s", record_text(m, "fingerprint"));
        json_decref(m);
        assert_int_equal(strlen(before), 16);
        if (changes(edits[i].path, edits[i].text, before) != edits[i].matters)
            fail_msg("%s: must %schange the fingerprint", edits[i].path, edits[i].matters ? "" : "not ");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fingerprints_name_what_ran),
        cmocka_unit_test_setup_teardown(two_sockets, tree_make, tree_remove),
        cmocka_unit_test_setup_teardown(settings, tree_make, tree_remove),
        cmocka_unit_test_setup_teardown(devices, tree_make, tree_remove),
        cmocka_unit_test_setup_teardown(cut_tables, tree_make, tree_remove),
        cmocka_unit_test_setup_teardown(arm, tree_make, tree_remove),
        cmocka_unit_test_setup_teardown(virtual_machine, tree_make, tree_remove),
        cmocka_unit_test_setup_teardown(containers, tree_make, tree_remove),
        cmocka_unit_test_setup_teardown(containers_of_version_1, tree_make, tree_remove),
        cmocka_unit_test_setup_teardown(closed_files, tree_make, tree_remove),
        cmocka_unit_test_setup_teardown(fingerprints, tree_make, tree_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
