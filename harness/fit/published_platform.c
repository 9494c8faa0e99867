/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds a published run's hardware from its words: the catalogue's accelerator by its name, the fabric by its
 * description. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fit/published.h"

static bool says(const char *text, const char *what) {
    return strstr(text, what) != NULL;
}

struct fabric {
    enum cost_fabric fabric;
    double node_bytes_per_s, domain; /* domain: accelerators in an NVLink domain; 0: a node */
};

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* The count in front of an "x" before `at`: 8 in "8x NDR400"; 0: none. */
static double rails_before(const char *text, const char *at) {
    while (at > text && !(at[0] == 'x' && is_digit(at[-1]))) at--;
    while (at > text && is_digit(at[-1])) at--;
    return strtod(at, NULL);
}

/* The count in front of what is listed before `at`: 4 in "4x ConnectX-7 IB NDR 400Gb/s", 8 in "8 x 400 Gb/s"; 1: none.
 */
static double count_before(const char *text, const char *at) {
    const char *from = at;
    while (from > text && !strchr(",;:+", from[-1])) from--;
    for (; from < at; from++) {
        char *end;
        const double count = is_digit(*from) ? strtod(from, &end) : 0;
        if (count == 0) continue;
        while (*end == ' ') end++;
        return *end == 'x' && end < at ? count : 1;
    }
    return 1;
}

/* A node's Gbit/s: the most of "200 Gb/s x4", "800 Gb/s per node", "400 Gb/s per GPU", "2 Tb/s per host", "8x NDR400"
 * or "4x ConnectX-7 IB NDR 400Gb/s"; 0: unknown. */
static double gigabits(const char *text, double node_accelerators) {
    static const char *const generations[] = {"HDR", "NDR", "XDR"};
    double most = 0;
    for (const char *at = text; *at; at++) {
        double rate, rails;
        char unit;
        int end = 0;
        if (!is_digit(*at) || (at > text && (is_digit(at[-1]) || at[-1] == '.'))) continue;
        sscanf(at, "%lf %cb/s%n", &rate, &unit, &end);
        if (end == 0 || (unit != 'G' && unit != 'T')) continue;
        if (unit == 'T') rate *= 1000;
        if (sscanf(at + end, " x%lf", &rails) == 1)
            rate *= rails;
        else
            rate *= strncmp(at + end, " per GPU", 8) ? count_before(text, at) : node_accelerators;
        most = fmax(most, rate);
    }
    if (most > 0) return most;
    for (size_t i = 0; i < sizeof generations / sizeof *generations; i++) {
        const char *name = strstr(text, generations[i]);
        if (name) return rails_before(text, name) * strtod(name + 3, NULL);
    }
    return 0;
}

/* Accelerators of "NVL72", rounded down to a power of two, as runs use them; 0: unknown. */
static double nvlink_domain(const char *text) {
    const char *name = strstr(text, "NVL");
    const double all = name ? strtod(name + 3, NULL) : 0;
    return all >= 1 ? exp2(floor(log2(all))) : 0;
}

static bool fabric_of(const char *text, double node_accelerators, struct fabric *f) {
    static const char *const ethernets[] = {"RoCE", "Ethernet", "EFA", "RDMA", "Slingshot"};
    static const char *const infinibands[] = {"HDR", "NDR", "XDR", "InfiniBand", "Gb/s per node", "Gb/s per GPU"};
    const double rate = gigabits(text, node_accelerators) * 1e9 / 8;
    *f = (struct fabric){.fabric = COST_INFINIBAND, .node_bytes_per_s = rate};
    f->domain = nvlink_domain(text);
    if (f->domain > 0) return true;
    if (says(text, "Omni-Path")) f->fabric = COST_OMNIPATH;
    for (size_t i = 0; i < sizeof ethernets / sizeof *ethernets; i++)
        if (says(text, ethernets[i])) f->fabric = COST_ROCE;
    if (f->fabric != COST_INFINIBAND) return rate > 0;
    for (size_t i = 0; i < sizeof infinibands / sizeof *infinibands; i++)
        if (says(text, infinibands[i])) return rate > 0;
    return false;
}

int fit_words_platform(const struct fit_words *w, const struct fit_sheets *sheets, double node_accelerators,
                       struct cost_platform *platform, const char **unlike, struct base_error *e) {
    const struct fit_sheet *s;
    struct fabric f, usual;
    int code = fit_sheets_find(sheets, w->accelerator, &s, e);
    if (code) return code;
    if (says(w->accelerator, "PCI"))
        return base_fail(e, BASE_USAGE, "PCIe cards: no run of them was fitted (accelerator \"%.60s\")",
                         w->accelerator);
    fabric_of(s->network, node_accelerators, &usual);
    if (!fabric_of(w->interconnect, node_accelerators, &f)) f = usual;
    if (f.node_bytes_per_s == 0) f.node_bytes_per_s = usual.node_bytes_per_s;
    if (f.domain == 0) f.domain = usual.domain;
    if (says(w->accelerator, "power limited"))
        return base_fail(e, BASE_USAGE, "it was limited to less power, and the source does not say to how much");
    *platform = s->platform;
    platform->fabric = f.fabric;
    platform->pairwise = s->direct && fit_sheets_word(w->interconnect, s->direct);
    platform->node_accelerators = node_accelerators;
    platform->domain = f.domain > 0 ? f.domain : node_accelerators;
    platform->node_bytes_per_s = f.node_bytes_per_s;
    *unlike = s->unlike;
    return BASE_OK;
}
