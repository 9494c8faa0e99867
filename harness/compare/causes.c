/* SPDX-License-Identifier: Apache-2.0
 *
 * The causes that are known, as a table, and which of them the changes agree with. */
#include "compare/causes.h"

#include <math.h>
#include <string.h>

#include "kernels.h"
#include "records/get.h"
#include "records/set.h"
#include "study/ratio.h"

/* Strong causes have an effect of their own in the records. Weak ones are settings: they are named only if no strong
 * cause agrees. Faint ones only if nothing else does. */
enum tier { STRONG, WEAK, FAINT, TIERS };

/* How a value says which side should be faster. */
enum direction { EITHER, MORE_IS_FASTER, LATER_ISA_IS_FASTER };

enum { KEYS = 5, PATTERNS = 3 };

struct cause {
    const char *name;
    enum tier tier;
    const char *key[KEYS]; /* a difference in one of these makes it a candidate */
    /* One letter for each figure: '+' moved with the rate, '0' did not, '.' either. One pattern must agree. */
    const char *pattern[PATTERNS];
    enum direction direction;
    const char *lost;    /* CPU time that must be lost on the slower side; then no key or pattern is needed */
    const char *library; /* only if both sides' matmuls come from this variant */
};

/* figures: peak, matmul, passes, communication */
static const struct cause causes[] = {
    {.name = "another CPU", .tier = STRONG, .key = {"machine.cpu"}, .pattern = {"+...", ".+..", "..+."}},
    {.name = "threads", .tier = STRONG, .key = {"layout.threads"}, .pattern = {"++.."}, .direction = MORE_IS_FASTER},
    {.name = "instruction set",
     .tier = STRONG,
     .key = {"machine.isa"},
     .pattern = {"++..", "+.+."},
     .direction = LATER_ISA_IS_FASTER},
    {.name = "CPU quota",
     .tier = STRONG,
     .key = {"machine.cpu_quota.cpus"},
     .pattern = {"++.."},
     .direction = MORE_IS_FASTER},
    {.name = "stopped by a CPU quota", .tier = STRONG, .lost = "throttled_s"},
    {.name = "CPU time stolen by the hypervisor", .tier = STRONG, .lost = "steal_s"},
    {.name = "other processes on the CPUs", .tier = STRONG, .lost = "other_s"},
    {.name = "matmul kernels", .tier = WEAK, .key = {"machine.kernels.gemm", "result.variant"}, .pattern = {"0+.."}},
    {.name = "BLAS",
     .tier = WEAK,
     .key = {"machine.openblas.core", "machine.openblas.config"},
     .pattern = {"0+0."},
     .library = "openblas"},
    {.name = "BLAS",
     .tier = WEAK,
     .key = {"machine.blas.name", "machine.blas.version", "machine.blas.core", "machine.blas.threads_used",
             "machine.blas.path"},
     .pattern = {"0+0."},
     .library = "cblas"},
    {.name = "huge pages",
     .tier = WEAK,
     .key = {"machine.transparent_huge_pages", "machine.huge_pages", "machine.page_bytes"},
     .pattern = {"0.+."}},
    {.name = "memory binding",
     .tier = WEAK,
     .key = {"result.per_rank.bound", "machine.cgroup.memory_nodes"},
     .pattern = {"0.+."}},
    {.name = "pinning", .tier = WEAK, .key = {"result.per_rank.pinned"}, .pattern = {".+..", "..+."}},
    {.name = "NUMA",
     .tier = WEAK,
     .key = {"machine.numa_nodes", "machine.numa_distances", "machine.numa_balancing"},
     .pattern = {"0.+."}},
    {.name = "memory speed",
     .tier = WEAK,
     .key = {"machine.memory.transfers_per_s"},
     .pattern = {"0.+."},
     .direction = MORE_IS_FASTER},
    {.name = "memory modules",
     .tier = WEAK,
     .key = {"machine.memory.modules", "machine.memory.type"},
     .pattern = {"0.+."}},
    {.name = "MPI", .tier = WEAK, .key = {"machine.mpi", "machine.mpi_components"}, .pattern = {"0..+"}},
    {.name = "overlap of communication", .tier = WEAK, .key = {"result.overlap.chosen"}, .pattern = {"0..+"}},
    {.name = "network", .tier = WEAK, .key = {"machine.interfaces", "machine.adapters"}, .pattern = {"0..+"}},
    {.name = "governor",
     .tier = WEAK,
     .key = {"machine.governor", "machine.frequency.energy_preference", "machine.frequency.driver"},
     .pattern = {"++.."}},
    {.name = "clock frequency",
     .tier = WEAK,
     .key = {"machine.max_hz", "machine.frequency.limit_hz"},
     .pattern = {"++.."},
     .direction = MORE_IS_FASTER},
    {.name = "frequency boost", .tier = WEAK, .key = {"machine.frequency.boost"}, .pattern = {"++.."}},
    {.name = "SMT", .tier = WEAK, .key = {"machine.smt"}, .pattern = {"++.."}},
    {.name = "operating system kernel",
     .tier = FAINT,
     .key = {"machine.kernel", "machine.command_line", "machine.mitigations"},
     .pattern = {"0+..", "0.+.", "0..+"}},
    {.name = "compiler",
     .tier = FAINT,
     .key = {"machine.compiler", "machine.compiler_flags"},
     .pattern = {"0+..", "0.+."}},
    {.name = "version of toise", .tier = FAINT, .key = {"version"}, .pattern = {"0+..", "0.+."}},
    {.name = "firmware",
     .tier = FAINT,
     .key = {"machine.firmware", "machine.microcode", "machine.iommu"},
     .pattern = {"++..", "0.+."}},
};
enum { CAUSES = sizeof causes / sizeof *causes };

/* false: one rank is not pinned or bound */
static json_t *all_ranks(const json_t *record, const char *key) {
    const json_t *rank, *ranks = record_at(record, "result.per_rank");
    size_t i;
    json_array_foreach(ranks, i, rank) if (!json_is_true(json_object_get(rank, key))) return json_false();
    return json_array_size(ranks) ? json_true() : NULL;
}

/* The value of a record, borrowed; NULL: unknown. JSON's null: there is no quota. */
static json_t *value_of(const json_t *record, const char *key) {
    static const char quota[] = "machine.cpu_quota", ranks[] = "result.per_rank.";
    if (!strncmp(key, ranks, sizeof ranks - 1)) return all_ranks(record, key + sizeof ranks - 1);
    if (!strncmp(key, quota, sizeof quota - 1) && json_is_null(record_at(record, quota))) return json_null();
    json_t *value = record_at(record, key);
    return json_is_null(value) ? NULL : value;
}

/* The value of all records; NULL: unknown, or they differ. */
static json_t *common_value(const json_t *const *records, int n, const char *key) {
    json_t *first = n ? value_of(records[0], key) : NULL;
    for (int i = 1; i < n && first; i++)
        if (!json_equal(first, value_of(records[i], key))) return NULL;
    return first;
}

static enum kernel_isa isa_of(const json_t *value) {
    const char *name = json_string_value(value);
    enum kernel_isa isa = KERNEL_ISA_ref;
    while (isa < KERNEL_ISA_COUNT && strcmp(kernel_isa_name(isa), name ? name : "") != 0) isa++;
    return isa;
}

static double number_of(const json_t *value) {
    return json_is_null(value) ? INFINITY : json_number_value(value); /* no quota */
}

/* Whether `after` is the faster value. Instruction sets of two architectures have no order. */
static bool is_faster(const json_t *before, const json_t *after, enum direction direction) {
    if (direction == LATER_ISA_IS_FASTER) return kernel_isa_within(isa_of(before), isa_of(after));
    return number_of(after) > number_of(before);
}

static bool right_way(const struct cause *c, const json_t *base, const json_t *new, double log) {
    if (c->direction == EITHER) return true;
    return log > 0 ? is_faster(base, new, c->direction) : log < 0 && is_faster(new, base, c->direction);
}

static bool from_library(const struct compare_evidence *x, const char *library) {
    const json_t *const sides[] = {x->base[0], x->new[0]};
    for (int i = 0; i < 2; i++) {
        const bool kernel = !strcmp(record_text(sides[i], "kind"), "kernel");
        if (strcmp(record_text(sides[i], kernel ? "result.variant" : "machine.kernels.gemm"), library) != 0)
            return false;
    }
    return true;
}

/* Four figures are tested, so each at a quarter of the error. */
static bool is_significant(const struct compare_change *change) {
    return change->p <= STUDY_ALPHA / COMPARE_FIGURES;
}

/* Moved with the rate, and enough to matter. */
static bool moved(const struct compare_change *change, double log) {
    return is_significant(change) && change->log * log > 0 && fabs(change->log) >= 0.3 * fabs(log);
}

/* Noise of a launch moves all its figures together, so a small change may be more than it. */
static bool stayed(const struct compare_change *change, double log) {
    return isnan(change->log) || fabs(change->log) < (is_significant(change) ? 0.3 : 0.6) * fabs(log);
}

static bool agrees(const char *pattern, const struct compare_change *changes, double log) {
    if (!pattern) return false;
    for (int f = 0; f < COMPARE_FIGURES; f++) {
        if (pattern[f] == '+' && !moved(&changes[f], log)) return false;
        if (pattern[f] == '0' && !stayed(&changes[f], log)) return false;
    }
    return true;
}

static json_t *named(const struct cause *c, const struct compare_change *changes, double log) {
    json_t *o = json_object(), *figures = json_array();
    record_set(o, "cause", json_string(c->name));
    for (int f = 0; f < COMPARE_FIGURES; f++)
        if (moved(&changes[f], log))
            json_array_append_new(figures, json_string(compare_figure_name((enum compare_figure)f)));
    record_set(o, "agrees", figures);
    return o;
}

/* A disturbance: a quarter of the change, and half a percent, of the CPU time was lost more on the slower side. */
static json_t *disturbance(const struct cause *c, const struct compare_evidence *x,
                           const struct compare_change *changes) {
    const double base = compare_lost(x->base, x->n, c->lost), new = compare_lost(x->new, x->m, c->lost);
    const double more = x->log < 0 ? new - base : base - new;
    if (!(more >= 0.005 && more >= 0.25 * fabs(x->log))) return NULL;
    json_t *o = named(c, changes, x->log);
    record_set_number(o, "lost_base", base), record_set_number(o, "lost_new", new);
    return o;
}

static json_t *setting(const struct cause *c, const struct compare_evidence *x, const struct compare_change *changes) {
    bool agree = false;
    for (int i = 0; i < PATTERNS; i++) agree = agree || agrees(c->pattern[i], changes, x->log);
    if (!agree || (c->library && !from_library(x, c->library))) return NULL;
    for (int i = 0; i < KEYS && c->key[i]; i++) {
        json_t *base = common_value(x->base, x->n, c->key[i]), *new = common_value(x->new, x->m, c->key[i]);
        if (!base || !new || json_equal(base, new) || !right_way(c, base, new, x->log)) continue;
        json_t *o = named(c, changes, x->log);
        record_set(o, "key", json_string(c->key[i]));
        record_set(o, "base", json_incref(base)), record_set(o, "new", json_incref(new));
        return o;
    }
    return NULL;
}

/* The clocks: nothing in the records says why the peak moved. */
static json_t *unexplained_peak(const struct compare_evidence *x, const struct compare_change *changes) {
    static const struct cause peak = {.name = "measured peak"};
    return agrees("++..", changes, x->log) ? named(&peak, changes, x->log) : NULL;
}

json_t *compare_causes(const struct compare_evidence *x, const struct compare_change changes[COMPARE_FIGURES]) {
    json_t *list = json_array();
    for (int tier = STRONG; tier < TIERS && !json_array_size(list); tier++) {
        for (int i = 0; i < CAUSES; i++) {
            const struct cause *c = &causes[i];
            if ((int)c->tier != tier) continue;
            json_t *o = c->lost ? disturbance(c, x, changes) : setting(c, x, changes);
            if (o) json_array_append_new(list, o);
        }
    }
    json_t *peak = json_array_size(list) ? NULL : unexplained_peak(x, changes);
    if (peak) json_array_append_new(list, peak);
    return list;
}
