/* SPDX-License-Identifier: Apache-2.0
 *
 * What a published run says of its hardware: data sheets by the accelerator's name, fabrics by what describes them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "project/published.h"

static bool says(const char *text, const char *what) {
    return strstr(text, what) != NULL;
}

/* Data sheets; links: achieved by calibration (V100 124e9 of 150e9 bytes/s at 4 GB, A100 229e9 of 300e9 at 1 GiB), else
 * 0.8 (H100) and 0.72 (GB200) of nominal, to which fits are insensitive. Siblings of a fitted device are priced by its
 * parameters. `usual` fabric: where none is stated. */
static const struct sheet {
    const char *name;
    enum project_device device;
    double peak, fp32, tf32, memory, units, link, nominal;
    const char *usual;
} sheets[] = {
    {"V100", PROJECT_V100, 125e12, 15.7e12, 0.125, 0.900e12, 80, 124e9, 150e9, "800 Gb/s per node"},
    {"A100", PROJECT_A100, 312e12, 19.5e12, 0.5, 2.039e12, 108, 229e9, 300e9, "HDR 200 Gb/s x8"},
    {"H100", PROJECT_H100, 989e12, 67e12, 0.5, 3.350e12, 132, 360e9, 450e9, "NDR 400 Gb/s x8"},
    {"H200", PROJECT_H100, 989e12, 67e12, 0.5, 4.800e12, 132, 360e9, 450e9, "NDR 400 Gb/s x8"},
    {"H800", PROJECT_H100, 989e12, 67e12, 0.5, 3.350e12, 132, 160e9, 200e9, "NDR 400 Gb/s x8"},
    {"GB200", PROJECT_GB200, 2500e12, 80e12, 0.5, 8.000e12, 148, 650e9, 900e9, "NVL72"},
    {"B200", PROJECT_GB200, 2250e12, 80e12, 0.5, 8.000e12, 148, 650e9, 900e9, "NDR 400 Gb/s x8"},
    {"GB300", PROJECT_GB200, 2500e12, 80e12, 0.5, 8.000e12, 148, 650e9, 900e9, "NVL72"},
};

static const struct sheet *sheet_of(const char *accelerator) {
    for (size_t i = 0; i < sizeof sheets / sizeof *sheets; i++)
        if (!strncmp(accelerator, sheets[i].name, strlen(sheets[i].name))) return &sheets[i];
    return NULL;
}

struct fabric {
    enum project_fabric fabric;
    double node_bytes_per_s, domain; /* domain: of NVLink, 0 is a node */
};

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* The count before an x before `at`: 8 of "8x NDR400"; 0: none. */
static double rails_before(const char *text, const char *at) {
    while (at > text && !(at[0] == 'x' && is_digit(at[-1]))) at--;
    while (at > text && is_digit(at[-1])) at--;
    return strtod(at, NULL);
}

/* A node's Gbit/s by "200 Gb/s x4", "800 Gb/s per node", "400 Gb/s per GPU", "2 Tb/s per host" or "8x NDR400"; 0: not
 * said. */
static double gigabits(const char *text, double node_accelerators) {
    static const char *const generations[] = {"HDR", "NDR", "XDR"};
    for (const char *at = text; *at; at++) {
        double rate, rails;
        char unit;
        int end = 0;
        if (!is_digit(*at) || (at > text && (is_digit(at[-1]) || at[-1] == '.'))) continue;
        sscanf(at, "%lf %cb/s%n", &rate, &unit, &end);
        if (end == 0 || (unit != 'G' && unit != 'T')) continue;
        if (unit == 'T') rate *= 1000;
        if (sscanf(at + end, " x%lf", &rails) == 1) return rate * rails;
        return strncmp(at + end, " per GPU", 8) ? rate : rate * node_accelerators;
    }
    for (size_t i = 0; i < sizeof generations / sizeof *generations; i++) {
        const char *name = strstr(text, generations[i]);
        if (name) return rails_before(text, name) * strtod(name + 3, NULL);
    }
    return 0;
}

static bool fabric_of(const char *text, double node_accelerators, struct fabric *f) {
    static const char *const ethernets[] = {"RoCE", "Ethernet", "EFA", "RDMA", "Slingshot"};
    static const char *const infinibands[] = {"HDR", "NDR", "XDR", "InfiniBand", "Gb/s per node", "Gb/s per GPU"};
    const double rate = gigabits(text, node_accelerators) * 1e9 / 8;
    *f = (struct fabric){.fabric = PROJECT_INFINIBAND, .node_bytes_per_s = rate};
    if (says(text, "NVL72")) {
        f->domain = 64; /* of 72: a power of two is what runs take */
        if (rate == 0) f->node_bytes_per_s = 200e9;
        return true;
    }
    if (says(text, "Omni-Path")) f->fabric = PROJECT_OMNIPATH;
    for (size_t i = 0; i < sizeof ethernets / sizeof *ethernets; i++)
        if (says(text, ethernets[i])) f->fabric = PROJECT_ROCE;
    if (f->fabric != PROJECT_INFINIBAND) return rate > 0;
    for (size_t i = 0; i < sizeof infinibands / sizeof *infinibands; i++)
        if (says(text, infinibands[i])) return rate > 0;
    return false;
}

const char *project_words_platform(const struct project_words *w, double node_accelerators,
                                   struct project_platform *platform) {
    const struct sheet *s = sheet_of(w->accelerator);
    struct fabric f;
    if (!s) return "the accelerator's data sheet is not among those fitted";
    if (says(w->accelerator, "PCI")) return "cards on PCIe: none was fitted";
    if (!fabric_of(w->interconnect, node_accelerators, &f)) fabric_of(s->usual, node_accelerators, &f);
    *platform = (struct project_platform){
        .device = s->device,
        .fabric = f.fabric,
        .peak_flop_per_s = s->peak,
        .fp32_flop_per_s = s->fp32,
        .tf32_share = s->tf32,
        .memory_bytes_per_s = s->device == PROJECT_A100 && says(w->accelerator, "40GB") ? 1.555e12 : s->memory,
        .units = s->units,
        .link_bytes_per_s = s->link,
        .link_nominal_bytes_per_s = s->nominal,
        .pairwise = f.fabric == PROJECT_OMNIPATH && s->device == PROJECT_V100,
        .node_accelerators = node_accelerators,
        .domain = f.domain > 0 ? f.domain : node_accelerators,
        .node_bytes_per_s = f.node_bytes_per_s,
    };
    return NULL;
}
