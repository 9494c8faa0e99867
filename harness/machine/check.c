/* SPDX-License-Identifier: Apache-2.0
 *
 * The rules of the table "What a reader must refuse" (harness/catalog/README.md) that compare several figures. */
#include "machine/check.h"

#include <math.h>

static bool known(const struct machine_fact *fact) {
    return machine_fact_known(fact);
}

/* A sparse peak is twice a dense one; clocks differ by less than a fifth. */
static const double PEAK_SLACK = 1.2, PEAK_RATIO = 2.1, LINK_SLACK = 0.02;

/* FP16 and BF16 use the same units, so each can stand in for the other's FLOP per cycle. */
static const struct machine_fact *flop_per_cycle(const struct machine_accelerator *a, enum machine_dtype t) {
    const enum machine_dtype twin = t == MACHINE_FP16 ? MACHINE_BF16 : t == MACHINE_BF16 ? MACHINE_FP16 : t;
    return &a->flop_per_cycle[known(&a->flop_per_cycle[t]) ? t : twin];
}

static int check_peak_of_units(const struct machine_accelerator *a, enum machine_dtype t, const char *where,
                               struct base_error *e) {
    const struct machine_fact *peak = &a->peak_flop_per_s[t], *cycle = flop_per_cycle(a, t);
    if (!known(cycle) || !known(&a->units) || !known(&a->clock_hz)) return BASE_OK;
    const double most = a->units.high * a->clock_hz.high * cycle->high;
    if (peak->low <= PEAK_SLACK * most) return BASE_OK;
    return base_fail(
        e, BASE_USAGE,
        "%s: field \"peak_flop_per_s.%s\" is %g, but units x clock_hz x flop_per_cycle is %g. Is it a sparse peak? "
        "Give the dense one",
        where, machine_dtype_name(t), peak->low, most);
}

/* A type without FLOP per cycle is checked against the 16-bit types: FP8 has at most twice their peak, TF32 no more
 * than theirs. */
static int check_peak_of_16(const struct machine_accelerator *a, enum machine_dtype t, double ratio, const char *where,
                            struct base_error *e) {
    const struct machine_fact *half = &a->peak_flop_per_s[MACHINE_FP16], *brain = &a->peak_flop_per_s[MACHINE_BF16];
    const double most = ratio * fmax(known(half) ? half->high : 0, known(brain) ? brain->high : 0);
    if (most == 0 || known(&a->flop_per_cycle[t]) || a->peak_flop_per_s[t].low <= most) return BASE_OK;
    return base_fail(
        e, BASE_USAGE,
        "%s: field \"peak_flop_per_s.%s\" is %g, above %g times fp16 and bf16. Is it a sparse peak? Give the "
        "dense one",
        where, machine_dtype_name(t), a->peak_flop_per_s[t].low, ratio);
}

static int check_peaks(const struct machine_accelerator *a, const char *where, struct base_error *e) {
    int code = BASE_OK;
    for (int t = 0; !code && t < MACHINE_DTYPES; t++) {
        const struct machine_fact *peak = &a->peak_flop_per_s[t], *best = &a->achieved_flop_per_s[t];
        const char *name = machine_dtype_name((enum machine_dtype)t);
        if (known(best) && !known(peak))
            return base_fail(e, BASE_USAGE,
                             "%s: field \"achieved_matmul_flop_per_s.%s\": the type has no \"peak_flop_per_s\"; add it",
                             where, name);
        if (!known(peak)) continue;
        if (known(best) && best->low > peak->high)
            return base_fail(
                e, BASE_USAGE,
                "%s: field \"achieved_matmul_flop_per_s.%s\" is %g, above the peak of %g. Is it of another type?",
                where, name, best->low, peak->high);
        code = check_peak_of_units(a, (enum machine_dtype)t, where, e);
        if (!code && t == MACHINE_FP8) code = check_peak_of_16(a, MACHINE_FP8, PEAK_RATIO, where, e);
        if (!code && t == MACHINE_TF32) code = check_peak_of_16(a, MACHINE_TF32, 1, where, e);
    }
    return code;
}

static int check_links(const struct machine_accelerator *a, const char *where, struct base_error *e) {
    if (!known(&a->links) || !known(&a->link_bytes_per_s) || !known(&a->scale_up_bytes_per_s)) return BASE_OK;
    const double low = a->links.low * a->link_bytes_per_s.low, high = a->links.high * a->link_bytes_per_s.high;
    const struct machine_fact *all = &a->scale_up_bytes_per_s;
    if (all->high >= low * (1 - LINK_SLACK) && all->low <= high * (1 + LINK_SLACK)) return BASE_OK;
    return base_fail(
        e, BASE_USAGE,
        "%s: field \"scale_up.bytes_per_s\" is %g, but links x link_bytes_per_s is %g. Give one way, not both ways",
        where, all->value, a->links.value * a->link_bytes_per_s.value);
}

/* Bus bandwidths count one way of a link, so they are at most its nominal rate. */
static int check_rows(const struct machine_rows *rows, const char *where, const char *field,
                      const struct machine_fact *nominal, struct base_error *e) {
    for (int i = 0; known(nominal) && i < rows->count; i++) {
        const double bus = rows->row[i].figure.value;
        if (bus <= nominal->high) continue;
        return base_fail(
            e, BASE_USAGE,
            "%s: field \"%s[%d].busbw_bytes_per_s\" is %g, above the nominal %g one way. Give bytes, not bits, and "
            "one way, not both ways",
            where, field, i, bus, nominal->high);
    }
    return BASE_OK;
}

/* Messages between nodes use all rails of a node. */
static int check_bandwidths(const struct machine *m, const char *where, const char *accelerator, struct base_error *e) {
    const struct machine_accelerator *a = &m->accelerator;
    const struct machine_fact all = machine_scale_up(m), rails = machine_node_bytes_per_s(m);
    const struct machine_fact *pair = &m->node.pair_bytes_per_s;
    int code = check_rows(&a->scale_up_achieved, accelerator, "scale_up.achieved", &a->scale_up_bytes_per_s, e);
    if (!code) code = check_rows(&m->node.achieved, where, "node.achieved", &all, e);
    if (!code) code = check_rows(&m->network.achieved, where, "network.achieved", &rails, e);
    if (!code && known(pair) && known(&all) && pair->low > all.high)
        code = base_fail(
            e, BASE_USAGE,
            "%s: field \"node.pair_bytes_per_s\" is %g, above the %g of all links of an accelerator. Give one "
            "way, not both ways",
            where, pair->low, all.high);
    return code;
}

static int check_counts(const struct machine *m, const char *where, struct base_error *e) {
    const struct machine_fact *nodes = &m->nodes, *each = &m->node.accelerators, *all = &m->accelerators;
    if (!known(nodes) || !known(all)) return BASE_OK;
    if (all->high >= nodes->low * each->low && all->low <= nodes->high * each->high) return BASE_OK;
    return base_fail(
        e, BASE_USAGE,
        "%s: fields \"nodes\" x \"node.accelerators\" are %g x %g = %g, but \"accelerators\" is %g. Are these dies "
        "instead of modules, or is a count stale?",
        where, nodes->value, each->value, nodes->value * each->value, all->value);
}

/* The innermost level is first; the last is the whole machine. */
static int check_levels(const struct machine *m, const char *where, struct base_error *e) {
    const struct machine_level *levels = m->network.levels;
    for (int i = 1; i < m->network.level_count; i++) {
        if (!known(&levels[i].nodes) || levels[i].nodes.high > levels[i - 1].nodes.low) continue;
        return base_fail(e, BASE_USAGE,
                         "%s: field \"network.levels[%d].nodes\" is %g, not above the %g of the level inside it; list "
                         "the innermost level first",
                         where, i, levels[i].nodes.value, levels[i - 1].nodes.value);
    }
    return BASE_OK;
}

void machine_complete(struct machine *m) {
    struct machine_fact *nodes = &m->nodes, *each = &m->node.accelerators, *all = &m->accelerators;
    if (!known(nodes) && known(all)) {
        *nodes = machine_fact_quotient(all, each, "accelerators / node.accelerators");
        machine_fact_round(nodes);
    } else if (!known(all) && known(nodes)) {
        *all = machine_fact_product(nodes, each, "nodes x node.accelerators");
    }
    if (!known(&m->node.scale_up_nodes))
        m->node.scale_up_nodes = machine_fact_make(1, 1, each->status, "links that span nodes would be stated");
}

int machine_check(const struct machine *m, const char *change, struct base_error *e) {
    const struct machine_accelerator *a = &m->accelerator;
    const char *machine = change ? change : m->path, *accelerator = change ? change : a->path;
    int code = check_peaks(a, accelerator, e);
    if (!code) code = check_links(a, accelerator, e);
    if (!code) code = check_bandwidths(m, machine, accelerator, e);
    if (!code) code = check_counts(m, machine, e);
    if (!code) code = check_levels(m, machine, e);
    return code;
}
