/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes records of kind "compare". */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare/parts.h"
#include "records/set.h"

static const char *const withheld_why[] = {
    [COMPARE_FAIR] = NULL,
    [COMPARE_FEW] = "fewer than five launches on a side: add launches",
    [COMPARE_LOWER_BOUND] = "toise does not use the matrix unit of one of the CPUs: its figures are a lower bound",
    [COMPARE_BUILDS] = "the builds of toise differ: give --across-builds to compare them all the same"};

static const json_t *head_of(const struct compare *c, const struct compare_group *g) {
    return c->records[g->first];
}

/* The ratio with all that says how sure it is. needed: units a side that find a change of delta. */
static void set_ratio(json_t *o, const struct study_ratio *r, double alpha, double delta) {
    const double detectable = study_ratio_detectable(r, alpha, STUDY_POWER);
    const long needed = study_ratio_needed(r, delta, alpha, STUDY_POWER);
    record_set_number(o, "ratio", exp(r->log));
    record_set_number(o, "low", study_ratio_low(r, alpha)), record_set_number(o, "high", study_ratio_high(r, alpha));
    record_set_number(o, "p", study_ratio_p(r));
    record_set(o, "unit", json_string(study_level_name(r->level)));
    record_set(o, "units", json_pack("[i, i]", r->units[0], r->units[1]));
    record_set(o, "paired", json_boolean(r->paired));
    record_set_number(o, "detectable", detectable);
    record_set(o, "needed", needed > 0 ? json_integer(needed) : json_null());
    /* with nodes as units it is about nodes like these, else about these alone */
    record_set(o, "of", json_string(r->level == STUDY_LEVEL_NODE ? "nodes of these kinds" : "these nodes"));
}

/* The standard deviation of a group's logarithms between its nodes; NAN: fewer than two. */
static double node_spread(const struct compare *c, const struct compare_group *g, int *nodes) {
    struct study_unit *units = malloc(g->count * sizeof *units);
    double mean = 0, squares = 0;
    const int n = units ? study_units(c->values + g->first, (int)g->count, STUDY_LEVEL_NODE, units) : 0;
    for (int i = 0; i < n; i++) mean += units[i].log / n;
    for (int i = 0; i < n; i++) squares += (units[i].log - mean) * (units[i].log - mean);
    free(units);
    *nodes = n;
    return n > 1 ? sqrt(squares / (n - 1)) : NAN;
}

static int count_jobs(const struct compare *c, const struct compare_group *g) {
    struct study_unit *units = malloc(g->count * sizeof *units);
    const int n = units ? study_units(c->values + g->first, (int)g->count, STUDY_LEVEL_JOB, units) : 0;
    free(units);
    return n;
}

static int count_status(const struct compare *c, const struct compare_group *g, const char *status) {
    int n = 0;
    for (size_t i = 0; i < g->count; i++) n += !strcmp(record_text(c->records[g->first + i], "status"), status);
    return n;
}

/* The first or last time of a group's records, UTC as text. */
static const char *time_of(const struct compare *c, const struct compare_group *g, int last) {
    const char *time = record_text(c->records[g->first], "time");
    for (size_t i = 1; i < g->count; i++) {
        const char *other = record_text(c->records[g->first + i], "time");
        if (strcmp(other, time) * last > 0) time = other;
    }
    return time;
}

/* false: one side ended before the other began, on a node that both used. null: no node is on both. */
static json_t *in_turns(const struct compare *c, const struct compare_pair *p) {
    const int node = c->values[p->new->first].node;
    bool shared = false;
    for (size_t i = 0; i < p->base->count && !shared; i++) shared = c->values[p->base->first + i].node == node;
    if (!shared || node < 0) return json_null();
    return json_boolean(strcmp(time_of(c, p->base, 1), time_of(c, p->new, -1)) >= 0 &&
                        strcmp(time_of(c, p->new, 1), time_of(c, p->base, -1)) >= 0);
}

static json_t *group_of(const struct compare *c, const struct compare_group *g) {
    double log = 0;
    int nodes;
    const double spread = node_spread(c, g, &nodes);
    json_t *o = json_object(), *records = json_array();
    for (size_t i = 0; i < g->count; i++) {
        log += c->values[g->first + i].log / (double)g->count;
        json_array_append_new(records, json_string(c->items[g->first + i].from->sha256));
    }
    record_set_number(o, "rate", exp(log));
    record_set_integer(o, "launches", (json_int_t)g->count);
    record_set_integer(o, "jobs", count_jobs(c, g)), record_set_integer(o, "nodes", nodes);
    record_set_number(o, "node_spread", spread);
    record_set_integer(o, "unverified", count_status(c, g, "UNVERIFIED"));
    record_set_integer(o, "inconclusive", count_status(c, g, "INCONCLUSIVE"));
    record_set(o, "records", records);
    return o;
}

static json_t *figures_of(const struct compare_pair *p) {
    json_t *o = json_object();
    for (int f = 0; f < COMPARE_FIGURES; f++) {
        const struct compare_change *x = &p->changes[f];
        if (isnan(x->log)) continue;
        json_t *figure = json_object();
        record_set_number(figure, "ratio", exp(x->log)), record_set_number(figure, "low", x->low);
        record_set_number(figure, "high", x->high), record_set_number(figure, "p", x->p);
        record_set(o, compare_figure_name((enum compare_figure)f), figure);
    }
    return o;
}

/* What names a node or a job, and says nothing of its speed. */
static bool is_name(const char *key) {
    static const char *const names[] = {"machine.host", "machine.slurm", "machine.fingerprint", "machine.unknown"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strncmp(key, names[i], strlen(names[i]))) return true;
    return false;
}

/* What differs between the sides' machines, layouts and configurations. */
static json_t *differences_of(const json_t *base, const json_t *new) {
    static const char *const parts[] = {"machine", "layout", "config", "version"};
    enum { PARTS = sizeof parts / sizeof *parts, MOST = 100 };
    json_t *before = json_object(), *after = json_object(), *list, *x, *kept = json_array();
    size_t i;
    for (int k = 0; k < PARTS; k++) {
        json_object_set(before, parts[k], record_at(base, parts[k]));
        json_object_set(after, parts[k], record_at(new, parts[k]));
    }
    list = compare_differences(before, after, MOST);
    json_array_foreach(list, i, x) if (!is_name(record_text(x, "key"))) json_array_append(kept, x);
    json_decref(before), json_decref(after), json_decref(list);
    return kept;
}

static json_t *pair_of(const struct compare *c, const struct compare_pair *p) {
    const json_t *base = head_of(c, p->base), *new = head_of(c, p->new);
    const int kind = c->items[p->new->first].kind;
    json_t *o = json_object();
    char work[COMPARE_WHY], unit[64];
    compare_work_text(kind, new, work, sizeof work);
    record_set_integer(o, "side", p->new->side);
    record_set(o, "kind", json_string(study_rates[kind].kind)), record_set(o, "work", json_string(work));
    compare_unit_text(kind, new, unit, sizeof unit);
    record_set(o, "rate_unit", json_string(unit));
    set_ratio(o, &p->ratio, STUDY_ALPHA, c->options->delta);
    record_set_number(o, "p_holm", p->p), record_set_number(o, "p_outside_holm", p->p_outside);
    record_set(o, "verdict", json_string(study_verdict_name(p->verdict)));
    if (p->withheld) record_set(o, "why", json_string(withheld_why[p->withheld]));
    record_set(o, "base", group_of(c, p->base)), record_set(o, "new", group_of(c, p->new));
    record_set(o, "in_turns", in_turns(c, p));
    record_set(o, "figures", figures_of(p));
    record_set(o, "causes", p->causes ? json_incref(p->causes) : json_array());
    record_set(o, "differences", differences_of(base, new));
    return o;
}

/* The causes of a side's pairs, each once, with the number of pairs that name it. */
static json_t *causes_of(const struct compare *c, int side) {
    json_t *list = json_array(), *seen = json_object(), *x;
    size_t k;
    for (size_t i = 0; i < c->pair_count; i++) {
        if (c->pairs[i].new->side != side) continue;
        json_array_foreach(c->pairs[i].causes, k, x) {
            const char *name = record_text(x, "cause");
            json_t *known = json_object_get(seen, name);
            if (!known) {
                known = json_copy(x);
                json_object_set(seen, name, known);
                json_array_append_new(list, known);
            }
            record_set_integer(known, "pairs", record_whole(known, "pairs") + 1);
        }
    }
    json_decref(seen);
    return list;
}

static const char *side_why(const struct compare_side *s) {
    if (s->withheld) return withheld_why[s->withheld];
    if (s->verdict != STUDY_INCONCLUSIVE) return NULL;
    return s->count[STUDY_SLOWER] ? "some pairs are slower, but their mean is not"
                                  : "these launches show neither a difference nor equivalence";
}

/* Whether the first side or this one has such records. */
static bool counted(const struct compare *c, int side, const char *key) {
    return record_whole(c->found[0], key) + record_whole(c->found[side], key) > 0;
}

static void set_side(json_t *o, const struct compare *c, int side) {
    const struct compare_side *s = &c->side[side];
    record_set(o, "verdict", json_string(study_verdict_name(s->verdict)));
    if (side_why(s)) record_set(o, "why", json_string(side_why(s)));
    record_set_integer(o, "side", side);
    record_set(o, "unverified", json_boolean(counted(c, side, "unverified")));
    record_set(o, "unchecked", json_boolean(counted(c, side, "unchecked")));
    if (s->pairs) set_ratio(o, &s->ratio, compare_side_alpha(c), c->options->delta);
    record_set_integer(o, "pairs_used", s->pairs), record_set_integer(o, "pairs_too_few", s->few);
    json_t *counts = json_object();
    for (int v = 0; v < STUDY_VERDICTS; v++)
        record_set_integer(counts, study_verdict_name((enum study_verdict)v), s->count[v]);
    record_set(o, "counts", counts);
    record_set(o, "causes", causes_of(c, side));
}

/* The side that decides the verdict: the first that has it. */
static int deciding_side(const struct compare *c) {
    int side = 1;
    while (side < c->sides - 1 && c->side[side].verdict != compare_verdict(c)) side++;
    return side;
}

static json_t *config_of(const struct compare *c) {
    json_t *o = json_object(), *paths = json_array();
    for (int i = 0; i < c->sides; i++) json_array_append_new(paths, json_string(c->paths[i]));
    record_set(o, "sides", paths);
    record_set_number(o, "delta", c->options->delta);
    record_set_number(o, "confidence", 1 - STUDY_ALPHA), record_set_number(o, "power", STUDY_POWER);
    record_set(o, "across_builds", json_boolean(c->options->across_builds));
    record_set_integer(o, "skipped_lines", c->list.skipped.lines);
    return o;
}

json_t *compare_record(const struct compare *c) {
    const enum study_verdict verdict = compare_verdict(c);
    const char *why = side_why(&c->side[deciding_side(c)]);
    json_t *result = json_object(), *sides = json_array(), *pairs = json_array(), *against = json_array();
    set_side(result, c, deciding_side(c));
    record_set_number(result, "delta", c->options->delta);
    for (int i = 0; i < c->sides; i++) json_array_append(sides, c->found[i]);
    for (int i = 1; i < c->sides && c->sides > 2; i++) {
        json_t *o = json_object();
        set_side(o, c, i);
        json_array_append_new(against, o);
    }
    for (size_t i = 0; i < c->pair_count; i++) json_array_append_new(pairs, pair_of(c, &c->pairs[i]));
    record_set(result, "sides", sides), record_set(result, "against", against), record_set(result, "pairs", pairs);
    record_set(result, "unpaired", json_incref(c->unpaired));
    static const enum record_status statuses[] = {[STUDY_FASTER] = RECORD_PASSED,
                                                  [STUDY_EQUIVALENT] = RECORD_PASSED,
                                                  [STUDY_SLOWER] = RECORD_FAILED,
                                                  [STUDY_INCONCLUSIVE] = RECORD_INCONCLUSIVE};
    json_t *record = record_head("compare", statuses[verdict],
                                 verdict == STUDY_SLOWER                ? "slower"
                                 : verdict == STUDY_INCONCLUSIVE && why ? why
                                                                        : "");
    record_set(record, "config", config_of(c)), record_set(record, "result", result);
    return record;
}
