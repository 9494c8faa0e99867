/* SPDX-License-Identifier: Apache-2.0
 *
 * Collects the points of a measured machine: checks each record, and combines repeated launches. */
#include "machine/points.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/stats.h"
#include "base/text.h"
#include "plan/ledger.h"
#include "records/get.h"

static const double AGREE = 1e-3;   /* tolerance between figures that follow from each other */
static const double BUSY = 1.0 / 3; /* share of samples in which other processes took CPU time */

bool machine_points_dtype(const char *name, enum machine_dtype *dtype) {
    return machine_dtype_find(!strcmp(name, "f32") ? "fp32" : name, dtype);
}

/* Makes room for one more in a list of `count`, whose capacity doubles. */
static void *grown(const struct record_line *line, void *list, int count, size_t size) {
    if (count & (count - 1)) return list;
    void *more = realloc(list, (size_t)(count ? 2 * count : 1) * size);
    if (!more) base_fail(line->e, BASE_BROKEN, "%s: out of memory for its measurements", line->path);
    return more;
}

/* The median of a list of samples; NAN: it is empty. */
static double typical(const json_t *record, const char *path) {
    const size_t n = record_reals(record, path, NULL, 0);
    double *x = n ? malloc(n * sizeof *x) : NULL, median = NAN;
    record_reals(record, path, x, x ? n : 0);
    if (x) median = base_stats_median(x, (int)n, 0.5).median;
    free(x);
    return median;
}

/* Whether a launch was disturbed, by the marks of its samples. */
static bool is_busy(const json_t *record) {
    const json_t *all = record_at(record, "samples.marks"), *marks, *mark;
    int n = 0;
    size_t i, k;
    json_array_foreach(all, i, marks) {
        bool taken = false;
        json_array_foreach(marks, k, mark) {
            const char *name = json_is_string(mark) ? json_string_value(mark) : "";
            taken = taken || !strcmp(name, "load") || !strcmp(name, "steal");
        }
        n += taken;
    }
    return n > BUSY * (double)json_array_size(all);
}

/* Half the interval over its middle; 0 if the record has no interval. */
static double spread(const json_t *record, const char *low, const char *high, double middle) {
    const double half = (record_real(record, high) - record_real(record, low)) / 2 / middle;
    return half >= 0 && isfinite(half) ? half : 0;
}

/* Reads the sizes of an operation. Which sizes it has follows from the keys of the record. */
static int read_sizes(const struct record_line *line, struct machine_point *point) {
    static const char *const lists[][MACHINE_SIZES + 1] = {{"result.m", "result.n", "result.k"},
                                                           {"result.b", "result.h", "result.s", "result.d"},
                                                           {"result.rows", "result.cols"},
                                                           {"result.n"}};
    const char *const *keys = lists[3];
    for (int i = 3; i-- > 0;)
        if (record_at(line->record, lists[i][0])) keys = lists[i];
    int code = BASE_OK;
    for (int i = 0; i < MACHINE_SIZES; i++) point->sizes[i] = 1;
    for (int i = 0; keys[i] && !code; i++) code = record_need_whole(line, keys[i], &point->sizes[i]);
    return code;
}

static int read_rate(const struct record_line *line, struct machine_point *point) {
    const double flop = record_real(line->record, "result.flop");
    double peak;
    int code = record_need_real(line, "result.call_s", &point->call_s);
    if (code) return code;
    point->spread = spread(line->record, "result.call_s_low", "result.call_s_high", point->call_s);
    point->flop_per_s = point->share = NAN;
    if (!record_at(line->record, "result.flop_per_s")) return BASE_OK;
    code = record_need_real(line, "result.flop_per_s", &point->flop_per_s);
    if (!code) code = record_need_real(line, "result.peak_flop_per_s", &peak);
    if (code) return code;
    point->share = point->flop_per_s / peak;
    if (isfinite(flop) && fabs(point->flop_per_s * point->call_s / flop - 1) > AGREE)
        return record_refuse(line, "result.flop_per_s", "is not flop over call_s");
    return BASE_OK;
}

static bool same_shape(const struct machine_point *a, const struct machine_point *b) {
    return !strcmp(a->op, b->op) && !strcmp(a->trans, b->trans) && !memcmp(a->sizes, b->sizes, sizeof a->sizes) &&
           a->window == b->window && a->alibi == b->alibi && a->dtype == b->dtype && a->threads == b->threads;
}

/* Adds a point. A shape and variant that was seen before is another launch of the same point. */
static int add(struct machine *m, const struct record_line *line, const struct machine_point *point) {
    for (int i = 0; i < m->point_count; i++) {
        struct machine_point *one = &m->points[i];
        if (!same_shape(one, point) || strcmp(one->variant, point->variant) != 0) continue;
        if (one->busy != point->busy) {
            if (one->busy) *one = *point;
            return BASE_OK;
        }
        one->spread = fmax(one->spread, point->spread);
        if (one->repeat_count < MACHINE_REPEATS) one->repeats[one->repeat_count++] = point->call_s;
        return BASE_OK;
    }
    struct machine_point *more = grown(line, m->points, m->point_count, sizeof *more);
    if (!more) return BASE_BROKEN;
    m->points = more;
    m->points[m->point_count++] = *point;
    return BASE_OK;
}

/* The median of the launches. Raises *spread_of to the spread between launches if that is larger. */
static double settle(const double *repeats, int count, double *spread_of) {
    double mean = 0, squares = 0;
    for (int i = 0; i < count; i++) mean += log(repeats[i]) / count;
    for (int i = 0; i < count; i++) squares += (log(repeats[i]) - mean) * (log(repeats[i]) - mean);
    if (count > 1) *spread_of = fmax(*spread_of, 2 * sqrt(squares / (count - 1)));
    return base_stats_median(repeats, count, 0.5).median;
}

static void settle_point(struct machine_point *p) {
    const double first = p->call_s;
    p->call_s = settle(p->repeats, p->repeat_count, &p->spread);
    p->flop_per_s *= first / p->call_s;
    p->share *= first / p->call_s;
}

void machine_points_finish(struct machine *m) {
    int kept = 0;
    for (int i = 0; i < m->point_count; i++) {
        int k = 0;
        settle_point(&m->points[i]);
        while (k < kept && !same_shape(&m->points[k], &m->points[i])) k++;
        if (k == kept || m->points[i].call_s < m->points[k].call_s) m->points[k] = m->points[i];
        if (k == kept) kept++;
    }
    m->point_count = kept;
    for (int i = 0; i < m->message_count; i++) {
        struct machine_message *one = &m->messages[i];
        one->time_s = settle(one->repeats, one->repeat_count, &one->spread);
    }
}

int machine_points_kernel(struct machine *m, const struct record_line *line) {
    const json_t *record = line->record, *r = record_at(record, "result");
    struct machine_point point = {.window = record_whole(r, "window"),
                                  .alibi = record_true(r, "alibi"),
                                  .threads = (int)record_whole(r, "threads"),
                                  .bytes = record_real(r, "bytes"),
                                  .busy = is_busy(record),
                                  .repeat_count = 1,
                                  .peak_flop_per_s = typical(record, "samples.peak_flop_per_s"),
                                  .bandwidth_byte_per_s = typical(record, "samples.bandwidth_byte_per_s")};
    const char *op = record_text(r, "op"), *variant = record_text(r, "variant"), *trans = record_text(r, "trans");
    if (!strcmp(variant, "openblas") || !strcmp(variant, "cblas") || strstr(variant, "+packed")) return BASE_OK;
    if (!op[0] || strlen(op) >= sizeof point.op)
        return record_refuse(line, "result.op", "must be the name of an operation");
    if (point.threads < 1) return record_refuse(line, "result.threads", "must be a whole number above 0");
    if (!machine_points_dtype(record_text(r, "dtype"), &point.dtype))
        return record_refuse(line, "result.dtype", "must be \"f32\" or \"bf16\"");
    if (!strcmp(op, "gemm") && (strlen(trans) != 2 || strspn(trans, "NT") != 2))
        return record_refuse(line, "result.trans", "must be \"NN\", \"NT\", \"TN\" or \"TT\"");
    snprintf(point.op, sizeof point.op, "%s", op);
    snprintf(point.variant, sizeof point.variant, "%s", variant);
    snprintf(point.trans, sizeof point.trans, "%s", trans);
    int code = read_sizes(line, &point);
    if (!code) code = read_rate(line, &point);
    point.repeats[0] = point.call_s;
    return code ? code : add(m, line, &point);
}

static int read_layout(const struct record_line *line, int *ranks, int *nodes, int *threads) {
    *ranks = (int)record_whole(line->record, "layout.world");
    *nodes = (int)record_whole(line->record, "layout.nodes");
    *threads = (int)record_whole(line->record, "layout.threads");
    if (*ranks < 2) return record_refuse(line, "layout.world", "must be 2 or more: one rank sends nothing");
    if (*nodes < 1 || *nodes > *ranks) return record_refuse(line, "layout.nodes", "must be from 1 to the ranks");
    return *threads < 1 ? record_refuse(line, "layout.threads", "must be a whole number above 0") : BASE_OK;
}

static int add_message(struct machine *m, const struct record_line *line) {
    const json_t *record = line->record;
    struct machine_message one = {.hidden = record_real(record, "result.hidden"), .busy = is_busy(record)};
    const double cost = record_real(record, "result.cost_s");
    int code = read_layout(line, &one.ranks, &one.nodes, &one.threads);
    if (!code) code = record_need_real(line, "result.bytes", &one.bytes);
    if (!code) code = record_need_real(line, "result.time_s", &one.time_s);
    if (code) return code;
    if (record_real(record, "result.wrong") != 0)
        return record_refuse(line, "result.wrong", "must be 0 in a record that PASSED, else its sum is wrong");
    if (!isnan(cost)) one.hidden = 1 - cost / one.time_s; /* also if not significant: noise averages out */
    one.spread = spread(record, "result.time_s_low", "result.time_s_high", one.time_s);
    one.repeats[one.repeat_count++] = one.time_s;
    for (int i = 0; i < m->message_count; i++) {
        struct machine_message *old = &m->messages[i];
        if (old->bytes != one.bytes || old->ranks != one.ranks || old->nodes != one.nodes ||
            old->threads != one.threads)
            continue;
        if (old->busy != one.busy) {
            if (old->busy) *old = one;
            return BASE_OK;
        }
        if (old->repeat_count < MACHINE_REPEATS) old->repeats[old->repeat_count++] = one.time_s;
        old->spread = fmax(old->spread, one.spread);
        if (!isnan(one.hidden)) old->hidden = one.hidden; /* the last one counts */
        return BASE_OK;
    }
    struct machine_message *more = grown(line, m->messages, m->message_count, sizeof *more);
    if (!more) return BASE_BROKEN;
    m->messages = more;
    m->messages[m->message_count++] = one;
    return BASE_OK;
}

static int add_contention(struct machine *m, const struct record_line *line) {
    static const double most = 3; /* a share is at most 1; leave room for noise */
    struct machine_contention one;
    int code = read_layout(line, &one.ranks, &one.nodes, &one.threads);
    if (!code) code = record_need_real(line, "result.matmul", &one.matmul);
    if (!code) code = record_need_real(line, "result.pass", &one.pass);
    if (code) return code;
    if (one.matmul > most || one.pass > most)
        return record_refuse(line, one.matmul > most ? "result.matmul" : "result.pass",
                             "must be a share, about 0 to 1");
    struct machine_contention *more = grown(line, m->contentions, m->contention_count, sizeof *more);
    if (!more) return BASE_BROKEN;
    m->contentions = more;
    m->contentions[m->contention_count++] = one;
    return BASE_OK;
}

int machine_points_comm(struct machine *m, const struct record_line *line) {
    static const char *const others[] = {"reduce_scatter", "all_gather", "broadcast", "all_to_all", "p2p",
                                         "bidirectional",  "fit"};
    const char *op = record_text(line->record, "result.op"), *group = record_text(line->record, "result.group");
    const bool all = !group[0] || !strcmp(group, "all");
    if (!strcmp(op, "all_reduce")) return all ? add_message(m, line) : BASE_OK;
    if (!strcmp(op, "share")) return add_contention(m, line);
    if (base_text_find(op, others, sizeof others / sizeof *others) >= 0) return BASE_OK; /* no step has them yet */
    return record_refuse(line, "result.op", "must be \"all_reduce\", \"share\" or another operation of toise comm");
}
