/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds the runs of a curve among records, and refuses what cannot stand on one curve. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "scale/parts.h"

void scale_place(const struct scale_run *run, char *text, size_t size) {
    if (run->from->path)
        snprintf(text, size, "%.200s line %ld", run->from->path, run->from->line);
    else if (run->repeat)
        snprintf(text, size, "the run of n = %d, repeat %d", run->n, run->repeat);
    else
        snprintf(text, size, "the run of n = %d", run->n);
}

static int index_of(const char *name, const char *(*names)(int)) {
    for (int i = 0; names(i); i++)
        if (!strcmp(names(i), name)) return i;
    return SCALE_UNSET;
}

static bool is_kind(const json_t *record, const char *kind) {
    return !strcmp(record_text(record, "kind"), kind);
}

/* Ranks and nodes of a run; 0: the record does not say. */
static void read_layout(struct scale_run *r) {
    r->ranks = (int)record_whole(r->record, "layout.world");
    r->nodes = (int)record_whole(r->record, "layout.nodes");
    if (r->nodes < 1) r->nodes = (int)record_whole(r->record, "launch.nodes");
    r->n = (int)record_whole(r->record, "scaling.n");
    r->repeat = (int)record_whole(r->record, "scaling.repeat");
}

static void read_run(struct scale_run *r, const struct record_loaded *from) {
    const double rate = record_real(from->record, "result.tokens_per_s");
    *r = (struct scale_run){.from = from, .record = from->record, .status = study_launch_status_of(from->record)};
    read_layout(r);
    r->batch = (double)record_whole(r->record, "config.global_batch");
    const bool injected = record_injected(r->record);
    r->rate = r->status < STUDY_LAUNCH_FAILED && rate > 0 && isfinite(rate) && !injected ? rate : NAN;
    snprintf(r->why, sizeof r->why, "%s", record_text(r->record, "why"));
    if (isnan(r->rate) && r->status < STUDY_LAUNCH_INCONCLUSIVE) {
        r->status = STUDY_LAUNCH_INCONCLUSIVE;
        snprintf(r->why, sizeof r->why,
                 injected ? "faults of --inject: it measured no machine" : "the record has no rate");
    }
}

/* Whether the same run was met before: a file that was given twice, for example. */
static bool met(const struct scale_curve *c, const struct scale_run *r) {
    const char *id = record_text(r->record, "launch.id");
    for (int i = 0; i < c->run_count && *id; i++) {
        const struct scale_run *old = &c->runs[i];
        if (old->n == r->n && old->repeat == r->repeat && !strcmp(record_text(old->record, "launch.id"), id))
            return true;
    }
    return false;
}

static int take_runs(struct scale_curve *c, struct base_error *e) {
    size_t trains = 0;
    for (size_t i = 0; i < c->record_count; i++) trains += is_kind(c->records[i].record, "train");
    if (!trains)
        return base_fail(e, BASE_USAGE,
                         "none of the %zu records is a training: give records of toise scale, or of toise train --out",
                         c->record_count);
    c->runs = malloc(trains * sizeof *c->runs);
    if (!c->runs) return base_fail(e, BASE_BROKEN, "out of memory for %zu runs", trains);
    for (size_t i = 0; i < c->record_count; i++) {
        const json_t *record = c->records[i].record;
        if (is_kind(record, "train")) {
            struct scale_run *r = &c->runs[c->run_count];
            read_run(r, &c->records[i]);
            if (met(c, r))
                c->met_again++;
            else
                c->run_count++;
        } else if (!is_kind(record, "comm") && !is_kind(record, "roofs") && !is_kind(record, "scale")) {
            c->left_out++;
        }
    }
    return BASE_OK;
}

static int refuse(const struct scale_run *r, struct base_error *e, const char *why) {
    char place[256];
    scale_place(r, place, sizeof place);
    return base_fail(e, BASE_USAGE, "%s: %s", place, why);
}

/* Refuses a value that the curve's runs do not share. `cure`: what to do about it. */
static int refuse_other(const struct scale_run *r, const struct scale_run *first, const char *path, const json_t *value,
                        const json_t *other, const char *cure, struct base_error *e) {
    char place[256], before[256], text[2][80];
    const json_t *values[] = {value, other};
    for (int i = 0; i < 2; i++) {
        char *dumped = values[i] ? json_dumps(values[i], JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
        snprintf(text[i], sizeof text[i], "%.79s", dumped ? dumped : "absent");
        free(dumped);
    }
    scale_place(r, place, sizeof place);
    scale_place(first, before, sizeof before);
    return base_fail(e, BASE_USAGE, "%s: %s is %s, but %s in %s: %s", place, path, text[0], text[1], before, cure);
}

static const char ALIKE[] = "runs of one curve differ in their number of nodes or ranks alone; give them apart";

/* An imported record does not say everything: what it lacks contradicts nothing. */
static bool contradict(const struct scale_run *a, const struct scale_run *b, const json_t *x, const json_t *y) {
    const bool imported = a->status == STUDY_LAUNCH_UNVERIFIED || b->status == STUDY_LAUNCH_UNVERIFIED;
    const bool unknown = !x || json_is_null(x) || !y || json_is_null(y);
    if (unknown && imported) return false;
    return x && y ? !json_equal(x, y) : x != y;
}

static int compare_config(const struct scale_run *r, const struct scale_run *first, struct base_error *e) {
    static const char *const free_keys[] = {"global_batch",    "warmup",          "seed", "unread",
                                            "data_modified_s", "init_modified_s", "steps"};
    const json_t *both[] = {record_at(first->record, "config"), record_at(r->record, "config")};
    for (int side = 0; side < 2; side++) {
        const char *key;
        json_t *unused;
        json_object_foreach((json_t *)both[side], key, unused) {
            const json_t *a = json_object_get(both[0], key), *b = json_object_get(both[1], key);
            char path[128];
            if (base_text_find(key, free_keys, sizeof free_keys / sizeof *free_keys) >= 0) continue;
            if (!contradict(r, first, a, b)) continue;
            snprintf(path, sizeof path, "config.%.100s", key);
            return refuse_other(r, first, path, b, a, ALIKE, e);
        }
    }
    return BASE_OK;
}

/* The same work, by the same toise, on the same kind of machine. */
static int compare_run(const struct scale_run *r, const struct scale_run *first, struct base_error *e) {
    static const char *const same[] = {"version",
                                       "workload",
                                       "machine.cpu",
                                       "machine.name",
                                       "machine.accelerator",
                                       "machine.isa",
                                       "machine.blas",
                                       "layout.threads",
                                       "layout.tp",
                                       "layout.sp",
                                       "layout.cp",
                                       "layout.ep",
                                       "layout.pp",
                                       "layout.vp",
                                       "layout.schedule",
                                       "layout.zero",
                                       "layout.order",
                                       "layout.stage_layers",
                                       "layout.recompute",
                                       "layout.bucket_bytes",
                                       "layout.reproducible"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        const json_t *a = record_at(first->record, same[i]), *b = record_at(r->record, same[i]);
        if (contradict(r, first, a, b)) return refuse_other(r, first, same[i], b, a, ALIKE, e);
    }
    return compare_config(r, first, e);
}

/* What the option asks for, else what the objects `scaling` agree on. */
static int settle(struct scale_curve *c, const char *path, const char *flag, int asked, const char *(*names)(int),
                  int *found, struct base_error *e) {
    const struct scale_run *first = NULL;
    *found = asked;
    for (int i = 0; i < c->run_count; i++) {
        const struct scale_run *r = &c->runs[i];
        const char *name = record_text(r->record, path);
        const int own = index_of(name, names);
        if (!*name) continue;
        if (own == SCALE_UNSET) return refuse(r, e, "field \"scaling\" has an unknown mode or unit");
        if (first && *found != own)
            return refuse_other(r, first, path, record_at(r->record, path), record_at(first->record, path), ALIKE, e);
        if (*found != SCALE_UNSET && *found != own) {
            char why[160];
            snprintf(why, sizeof why, "%s is \"%s\", but %s is %s", path, name, flag, names(*found));
            return refuse(r, e, why);
        }
        *found = own;
        first = r;
    }
    return BASE_OK;
}

/* Units of the runs: nodes if their number varies, else ranks. */
static int count_units(struct scale_curve *c, struct base_error *e) {
    int unit = SCALE_UNSET;
    const int code = settle(c, "scaling.unit", "--unit", c->options->unit, record_scaling_unit_name, &unit, e);
    if (code) return code;
    bool vary = false;
    for (int i = 1; i < c->run_count; i++) vary = vary || c->runs[i].nodes != c->runs[0].nodes;
    c->unit = unit == SCALE_UNSET ? (vary ? RECORD_NODE : RECORD_RANK) : (enum record_scaling_unit)unit;
    for (int i = 0; i < c->run_count; i++) {
        struct scale_run *r = &c->runs[i];
        if (r->n < 0) return refuse(r, e, "field \"scaling.n\" must be a number above 0");
        if (!r->n) r->n = c->unit == RECORD_NODE ? r->nodes : r->ranks;
        if (r->n < 1)
            return refuse(r, e,
                          c->unit == RECORD_NODE ? "does not say on how many nodes it ran: import it with --nodes"
                                                 : "does not say on how many ranks it ran (layout.world)");
        if (!(r->batch > 0)) return refuse(r, e, "does not say its global batch (config.global_batch)");
        const long long dp = record_whole(r->record, "layout.dp");
        if (r->status != STUDY_LAUNCH_UNVERIFIED && (dp > 0 ? dp : r->ranks) > r->batch)
            return refuse(r, e, "has more data parallel ranks (layout.dp) than sequences (config.global_batch)");
        const struct scale_run *first = &c->runs[0];
        if (c->unit == RECORD_NODE && r->ranks && first->ranks && r->ranks * first->n != first->ranks * r->n) {
            char why[160];
            snprintf(why, sizeof why, "%d ranks on %d nodes, but %d on %d: each node of a curve has as many ranks",
                     r->ranks, r->n, first->ranks, first->n);
            return refuse(r, e, why);
        }
    }
    return BASE_OK;
}

static double unit_batch(const struct scale_run *r) {
    return r->batch / r->n;
}

/* The mode that the batches show, if nothing states it. */
static int find_mode(struct scale_curve *c, struct base_error *e) {
    int mode = SCALE_UNSET;
    const int code = settle(c, "scaling.mode", "--mode", c->options->mode, record_scaling_mode_name, &mode, e);
    if (code) return code;
    const struct scale_run *first = &c->runs[0];
    bool weak = false;
    for (int i = 1; i < c->run_count; i++) weak = weak || c->runs[i].batch != first->batch;
    c->mode = mode == SCALE_UNSET ? (weak ? RECORD_WEAK : RECORD_STRONG) : (enum record_scaling_mode)mode;
    for (int i = 1; i < c->run_count; i++) {
        const struct scale_run *r = &c->runs[i];
        char why[SCALE_WHY];
        const char *unit = record_scaling_unit_name((int)c->unit);
        if (c->mode == RECORD_STRONG && r->batch != first->batch) {
            snprintf(why, sizeof why,
                     "the global batch is %.0f on %d %ss, but %.0f on %d: strong scaling keeps it; give runs of one "
                     "batch, or --mode weak",
                     r->batch, r->n, unit, first->batch, first->n);
            return refuse(r, e, why);
        }
        if (c->mode == RECORD_WEAK && unit_batch(r) != unit_batch(first)) {
            snprintf(why, sizeof why,
                     "the batch of a %s is %.4g on %d, but %.4g on %d: weak scaling keeps it; give runs of one batch "
                     "per %s, or --mode strong",
                     unit, unit_batch(r), r->n, unit_batch(first), first->n, unit);
            return refuse(r, e, why);
        }
    }
    return BASE_OK;
}

static int by_place(const void *a, const void *b) {
    const struct scale_run *x = a, *y = b;
    if (x->n != y->n) return (x->n > y->n) - (x->n < y->n);
    if (x->repeat != y->repeat) return (x->repeat > y->repeat) - (x->repeat < y->repeat);
    return strcmp(scale_launch(x), scale_launch(y));
}

int scale_runs_read(struct scale_curve *c, struct base_error *e) {
    int code = take_runs(c, e);
    for (int i = 1; i < c->run_count && !code; i++) code = compare_run(&c->runs[i], &c->runs[0], e);
    if (!code) code = count_units(c, e);
    if (!code) code = find_mode(c, e);
    if (code) return code;
    c->seq = record_real(c->runs[0].record, "config.seq");
    if (!(c->seq > 0)) return refuse(&c->runs[0], e, "does not say the length of its sequences (config.seq)");
    qsort(c->runs, (size_t)c->run_count, sizeof *c->runs, by_place);
    return BASE_OK;
}

double scale_batch(const struct scale_curve *c, double n) {
    return c->mode == RECORD_STRONG ? c->runs[0].batch : unit_batch(&c->runs[0]) * n;
}

double scale_tokens(const struct scale_curve *c, double n) {
    return scale_batch(c, n) * c->seq;
}

double scale_unit_ranks(const struct scale_curve *c) {
    const struct scale_run *first = &c->runs[0];
    return c->unit == RECORD_RANK || first->ranks < 1 ? 1 : (double)first->ranks / first->n;
}

double scale_nodes(const struct scale_curve *c, double n) {
    double most = 1; /* ranks on a node of any point */
    bool several = false;
    if (c->unit == RECORD_NODE) return n;
    for (int i = 0; i < c->run_count; i++) {
        if (c->runs[i].nodes < 1) continue;
        several = several || c->runs[i].nodes > 1;
        most = fmax(most, ceil((double)c->runs[i].n / c->runs[i].nodes));
    }
    return several ? ceil(n / most) : 1;
}
