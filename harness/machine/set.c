/* SPDX-License-Identifier: Apache-2.0
 *
 * Changes one fact of a machine. Facts that no longer hold after the change become unknown. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/check.h"
#include "machine/fields.h"
#include "machine/read.h"

/* Groups of facts that a change may make unknown. */
enum {
    WHOLE = 1,    /* power, HPL and cost of the whole machine, and the nodes of its last level */
    COUNTS = 2,   /* accelerators, which then follow from nodes */
    NODES = 4,    /* nodes, which then follow from accelerators */
    NODE = 8,     /* measurements inside a node */
    WIRES = 16,   /* the node's wiring of the accelerator's links */
    NETWORK = 32, /* measurements between nodes */
    LINKS = 64,   /* an accelerator's links: their number, rate and measurements */
    DRAW = 128,   /* power of a node and of the machine */
    CYCLES = 256  /* FLOP per cycle of a unit, and the best matmuls: of the key's type, or of all */
};

static unsigned undoes(const char *key) {
    static const struct {
        const char *key;
        unsigned what;
    } table[] = {/* a key, or any below it */
                 {"nodes", WHOLE | COUNTS},
                 {"accelerators", WHOLE | NODES},
                 {"node.accelerators", WHOLE | COUNTS | NODE | DRAW},
                 {"node.accelerator", WHOLE | NODE | WIRES | DRAW},
                 {"node.topology", NODE},
                 {"node.scale_up_bytes_per_s", NODE},
                 {"node.scale_up_share", NODE},
                 {"node.pair_bytes_per_s", NODE},
                 {"node.rails", NETWORK},
                 {"node.rail_bytes_per_s", NETWORK},
                 {"network.topology", NETWORK},
                 {"network.share", NETWORK},
                 {"network.levels", NETWORK},
                 {"accelerator.scale_up.bytes_per_s", LINKS | WIRES | NODE},
                 {"accelerator.peak_flop_per_s", CYCLES},
                 {"accelerator.units", CYCLES},
                 {"accelerator.clock_hz", CYCLES},
                 {"accelerator.power_w", DRAW},
                 {"node.power_w", DRAW}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const size_t n = strlen(table[i].key);
        if (!strncmp(key, table[i].key, n) && (!key[n] || key[n] == '.')) return table[i].what;
    }
    return 0;
}

static void forget(struct machine_fact *fact) {
    *fact = machine_fact_unknown();
}

/* FLOP per cycle of FP16 and BF16 stand in for each other, so both are undone. */
static void undo_cycles(struct machine_accelerator *a, const char *key) {
    enum machine_dtype of = MACHINE_DTYPES;
    machine_dtype_find(strrchr(key, '.') + 1, &of);
    const bool half = of == MACHINE_FP16 || of == MACHINE_BF16;
    for (int t = 0; t < MACHINE_DTYPES; t++) {
        if (of == MACHINE_DTYPES || t == (int)of) forget(&a->achieved_flop_per_s[t]);
        if (of == MACHINE_DTYPES || t == (int)of || (half && (t == MACHINE_FP16 || t == MACHINE_BF16)))
            forget(&a->flop_per_cycle[t]);
    }
}

static void undo(struct machine *m, const char *key) {
    struct machine_accelerator *a = &m->accelerator;
    const unsigned what = undoes(key);
    if (what & WHOLE) {
        forget(&m->power_w), forget(&m->hpl_flop_per_s);
        m->cost_count = 0;
        if (m->network.level_count) forget(&m->network.levels[m->network.level_count - 1].nodes);
    }
    if (what & COUNTS) forget(&m->accelerators);
    if (what & NODES) forget(&m->nodes);
    if (what & NODE) m->node.achieved.count = 0;
    if (what & DRAW) forget(&m->node.power_w), forget(&m->power_w);
    if (what & WIRES) forget(&m->node.scale_up_bytes_per_s), forget(&m->node.pair_bytes_per_s), forget(&m->node.class);
    if (what & NETWORK) m->network.achieved.count = 0;
    if (what & LINKS) {
        forget(&a->links), forget(&a->link_bytes_per_s);
        a->scale_up_achieved.count = 0;
    }
    if (what & CYCLES) undo_cycles(a, key);
}

static int unknown_key(const char *key, struct base_error *e) {
    return base_fail(e, BASE_USAGE,
                     "--set %.64s: unknown fact; known: nodes, accelerators, node.accelerator and every fact of "
                     "harness/catalog/README.md by its path, as node.rail_bytes_per_s, network.levels.machine."
                     "oversubscription, accelerator.memory_bytes_per_s, accelerator.peak_flop_per_s.bf16, facility.pue",
                     key);
}

/* Finds "network.levels.NAME.nodes" and ".oversubscription". NAME may contain spaces and dots. */
static struct machine_fact *find_level(struct machine *m, const char *key, const struct machine_rule **rule) {
    static const char prefix[] = "network.levels.";
    const char *dot = strrchr(key, '.');
    if (strncmp(key, prefix, sizeof prefix - 1) || dot < key + sizeof prefix) return NULL;
    const char *name = key + sizeof prefix - 1;
    for (int i = 0; i < m->network.level_count; i++) {
        struct machine_level *level = &m->network.levels[i];
        if (strlen(level->name) != (size_t)(dot - name) || strncmp(level->name, name, (size_t)(dot - name))) continue;
        *rule = !strcmp(dot, ".nodes") ? &machine_rule_level_nodes : &project_rule_oversubscription;
        if (!strcmp(dot, ".nodes")) return &level->nodes;
        return !strcmp(dot, ".oversubscription") ? &level->oversubscription : NULL;
    }
    return NULL;
}

static struct machine_fact *find_fact(struct machine *m, const char *key, const struct machine_rule **rule) {
    const struct machine_field *field = machine_field_find(key);
    if (!field) return find_level(m, key, rule);
    *rule = &field->rule;
    return machine_field_slot(field, m);
}

/* Splits at ".." first, as strtod would read one of the dots. */
static bool range(const char *value, double *low, double *high) {
    const char *dots = strstr(value, "..");
    char first[64], *end;
    snprintf(first, sizeof first, "%.*s", dots ? (int)(dots - value) : (int)strlen(value), value);
    *low = *high = strtod(first, &end);
    if (end == first || *end) return false;
    if (!dots) return true;
    *high = strtod(dots + 2, &end);
    return end > dots + 2 && !*end;
}

/* Parses "64", "50e9..100e9", or a word. */
static int parse(const struct machine_rule *rule, const char *where, const char *key, const char *value,
                 struct machine_fact *fact, struct base_error *e) {
    char known[128];
    if (rule->figure == MACHINE_WORD) {
        const int code = machine_rule_ready(rule, e);
        if (code) return code;
        const int i = machine_rule_word(rule, value);
        machine_rule_words(rule, known, sizeof known);
        if (i < 0) return base_fail(e, BASE_USAGE, "%s: unknown value; known: %s", where, known);
        *fact = machine_fact_make(i, i, MACHINE_ASSUMED, NULL);
        return BASE_OK;
    }
    double low, high;
    if (!range(value, &low, &high))
        return base_fail(e, BASE_USAGE, "%s: give a number, as 64 or 50e9, or a range, as 50e9..100e9", where);
    if (high < low) return base_fail(e, BASE_USAGE, "%s: give the range's low end first", where);
    int code = machine_rule_check(rule, where, key, low, high, e);
    *fact = machine_fact_make(low, high, MACHINE_ASSUMED, NULL);
    if (rule->figure == MACHINE_COUNT) machine_fact_round(fact);
    return code;
}

/* Nodes are whole: a plain count of accelerators must be a multiple of those of a node. */
static int check_whole(const struct machine *m, const char *where, struct base_error *e) {
    const double all = m->accelerators.value, each = m->node.accelerators.value;
    if (m->accelerators.low != m->accelerators.high || fmod(all, each) == 0) return BASE_OK;
    return base_fail(e, BASE_USAGE, "%s: nodes have %g accelerators each; take a multiple, as %g", where, each,
                     fmax(1, floor(all / each)) * each);
}

static int change(struct machine *m, const char *where, const char *key, const char *value, struct base_error *e) {
    const struct machine_rule *rule;
    struct machine_fact *fact;
    int code;
    if (!strcmp(key, "node.accelerator")) {
        if ((code = machine_accelerator_read(m, where, value, NULL, e))) return code;
        undo(m, key);
    } else {
        if (!(fact = find_fact(m, key, &rule))) return unknown_key(key, e);
        struct machine_fact set;
        if ((code = parse(rule, where, key, value, &set, e))) return code;
        undo(m, key);
        set.how = machine_keep(&m->texts, where);
        *fact = set;
        if (!strcmp(key, "accelerators") && (code = check_whole(m, where, e))) return code;
    }
    m->hypothetical = true;
    machine_complete(m);
    return machine_check(m, where, e);
}

int machine_set(struct machine *m, const char *key, const char *value, struct base_error *e) {
    char where[2 * MACHINE_KEY];
    struct machine changed = *m;
    snprintf(where, sizeof where, "--set %.64s=%.64s", key, value);
    int code = change(&changed, where, key, value, e);
    if (!code) *m = changed;
    return code;
}

int machine_set_list(struct machine *m, const char *list, struct base_error *e) {
    char *copy = strdup(list), *rest = copy;
    int code = copy ? BASE_OK : base_fail(e, BASE_BROKEN, "out of memory");
    for (char *word; !code && (word = strsep(&rest, ",")) != NULL;) {
        char *equals = strchr(word, '=');
        if (equals) *equals = 0;
        code = equals ? machine_set(m, word, equals + 1, e)
                      : base_fail(e, BASE_USAGE, "--set %s: \"=\" is missing; give KEY=VALUE, as nodes=64", word);
    }
    free(copy);
    return code;
}
