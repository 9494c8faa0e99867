/* SPDX-License-Identifier: Apache-2.0
 *
 * FLOPs per cycle of cores whose vendors publish their pipes. Uncertain cores have 0, and no nominal peak is shown.
 * FP32: FMA pipes x lanes x 2. BF16: given only for cores with AMX, whose tile instructions set the peak. */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/file.h"
#include "measure/peak.h"

/* Sources. AMD: Software Optimization Guides for families 17h (55723, 56305), 19h (56665, 57647) and 1Ah (58455),
 * chapter Floating-Point Unit. Two FMA pipes of 128 bits (Zen), 256 bits (Zen 2 to 4) or 512 bits (Zen 5). Zen 4 splits
 * 512-bit operations into two passes. Zen 5's mobile models differ from servers and desktops and are not listed. Intel:
 * 64 and IA-32 Architectures Optimization Reference Manual (248966). Two FMA ports of 256 bits (Haswell, Broadwell) or
 * 512 bits (from Skylake-SP). Some Skylake-SP models have only one, see has_second_port. AMX: one TDPBF16PS, 16 x 16 x
 * 32 multiply-adds, every 16 cycles = 1024 FLOPs per cycle. */
static const struct core {
    const char *vendor;
    int family, first, last; /* models */
    double f32, bf16;
} cores[] = {
    {"AuthenticAMD", 0x17, 0x00, 0x2f, 16, 0}, /* Zen: Naples */
    {"AuthenticAMD", 0x17, 0x30, 0xff, 32, 0}, /* Zen 2: Rome */
    {"AuthenticAMD", 0x19, 0x00, 0xff, 32, 0}, /* Zen 3, Zen 4: Milan, Genoa, Bergamo */
    {"AuthenticAMD", 0x1a, 0x00, 0x1f, 64, 0}, /* Zen 5: Turin */
    {"AuthenticAMD", 0x1a, 0x40, 0x4f, 64, 0}, /* Zen 5: Granite Ridge */
    {"GenuineIntel", 6, 0x3f, 0x3f, 32, 0},    /* Haswell-EP */
    {"GenuineIntel", 6, 0x4f, 0x4f, 32, 0},    /* Broadwell-EP */
    {"GenuineIntel", 6, 0x55, 0x55, 64, 0},    /* Skylake-SP, Cascade Lake */
    {"GenuineIntel", 6, 0x6a, 0x6a, 64, 0},    /* Ice Lake-SP */
    {"GenuineIntel", 6, 0x8f, 0x8f, 64, 1024}, /* Sapphire Rapids */
    {"GenuineIntel", 6, 0xcf, 0xcf, 64, 1024}, /* Emerald Rapids */
    {"GenuineIntel", 6, 0xad, 0xad, 64, 1024}, /* Granite Rapids */
};

/* Skylake-SP and Cascade Lake: Platinum and Gold 6xxx models have the second 512-bit port (Intel ARK, "# of AVX-512 FMA
 * Units"). Most others do not. */
static bool has_second_port(const char *name) {
    return strstr(name, "Platinum") || strstr(name, "Gold 6");
}

double measure_peak_flop_per_cycle(const char *vendor, long long family, long long model, const char *name,
                                   enum kernel_dtype dtype) {
    for (size_t i = 0; i < sizeof cores / sizeof *cores; i++) {
        const struct core *c = &cores[i];
        if (strcmp(vendor, c->vendor) != 0 || family != c->family || model < c->first || model > c->last) continue;
        if (c->family == 6 && c->first == 0x55 && !has_second_port(name)) return 0.0;
        return dtype == KERNEL_F32 ? c->f32 : c->bf16;
    }
    return 0.0;
}

double measure_peak_nominal(const struct base_topology *t, const struct kernel_ops *ops, enum kernel_dtype dtype,
                            int cpus) {
    char vendor[32];
    if (dtype == KERNEL_BF16 && !kernel_bf16_native(ops)) dtype = KERNEL_F32;
    base_file_field("/proc/cpuinfo", "vendor_id", vendor, sizeof vendor);
    double per_cycle = measure_peak_flop_per_cycle(vendor, base_file_field_number("/proc/cpuinfo", "cpu family"),
                                                   base_file_field_number("/proc/cpuinfo", "model"), t->cpu, dtype);
    /* two hardware threads share the pipes of their core */
    int used = t->cores > 0 && cpus > t->cores ? t->cores : cpus;
    return per_cycle * t->max_hz * used;
}
