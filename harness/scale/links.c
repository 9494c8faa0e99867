/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines through the times of all-reduces. */
#include "scale/links.h"

#include <math.h>
#include <string.h>

#include "base/stats.h"

enum { TIMES_MOST = 512, NEAR_LEAST = 4, ROUNDS_MOST = 256 };
static const double NEAR = 32; /* sizes within this factor of the message */

void scale_ring(double ranks, double *steps, double *part) {
    *steps = 2 * (ranks - 1);
    *part = *steps / ranks;
}

/* A record of another CPU than the runs'. */
static bool foreign(const struct scale_curve *c, const json_t *record) {
    const char *cpu = record_text(record, "machine.cpu"), *own = record_text(c->runs[0].record, "machine.cpu");
    return *cpu && *own && strcmp(cpu, own) != 0;
}

/* Whether the record says something of the machine. */
static bool measures(const json_t *record) {
    const char *kind = record_text(record, "kind");
    return !strcmp(kind, "comm") || !strcmp(kind, "roofs");
}

static bool usable(const struct scale_curve *c, const json_t *record, int threads, const char *op) {
    const char *group = record_text(record, "result.group");
    const long long t = record_whole(record, "layout.threads");
    return !strcmp(record_text(record, "kind"), "comm") && !strcmp(record_text(record, "result.op"), op) &&
           (!*group || !strcmp(group, "all")) && (!t || !threads || t == threads) && !foreign(c, record) &&
           strcmp(record_text(record, "status"), "FAILED") != 0;
}

/* An all-reduce as a datum; false: the record has no time. */
static bool datum_of(const json_t *record, struct scale_datum *d) {
    const double bytes = record_real(record, "result.bytes"), time = record_real(record, "result.time_s");
    const double ranks = (double)record_whole(record, "layout.world");
    double part;
    if (!(bytes > 0) || !(time > 0) || ranks < 2) return false;
    *d = (struct scale_datum){.y = time, .scale = time};
    scale_ring(ranks, &d->x[0], &part);
    d->x[1] = part * bytes;
    return true;
}

/* Those of a link. near: of sizes near the message alone. */
static int take(const struct scale_curve *c, int threads, double bytes, enum scale_link link, bool near,
                struct scale_datum *d) {
    int n = 0;
    for (size_t i = 0; i < c->record_count && n < TIMES_MOST; i++) {
        const json_t *record = c->records[i].record;
        const double size = record_real(record, "result.bytes");
        if (!usable(c, record, threads, "all_reduce") || (record_whole(record, "layout.nodes") > 1) != (int)link)
            continue;
        if (near && !(fmax(size / bytes, bytes / size) <= NEAR)) continue;
        if (!datum_of(record, &d[n])) continue;
        d[n].point = n;
        n++;
    }
    return n;
}

/* The share of all-reduces that matmuls hide, also where a single size cannot tell it from zero: noise averages out. */
static void read_hidden(const struct scale_curve *c, int threads, struct scale_links *links) {
    double x[TIMES_MOST];
    int n = 0;
    for (size_t i = 0; i < c->record_count && n < TIMES_MOST; i++) {
        const json_t *record = c->records[i].record;
        if (!usable(c, record, threads, "all_reduce")) continue;
        x[n] = 1 - record_real(record, "result.cost_s") / record_real(record, "result.time_s");
        n += isfinite(x[n]);
    }
    links->hidden = links->hidden_sd = NAN;
    if (!n) return;
    links->hidden = fmin(1, fmax(0, base_stats_average(x, n)));
    links->hidden_sd = n > 1 ? sqrt(base_stats_variance(x, n) / n) : 0.5;
}

/* How much longer work takes together: the median rate alone over that together, minus 1. */
static bool slowdown(const json_t *record, const char *alone, const char *together, double *value, double *sd) {
    double a[ROUNDS_MOST], b[ROUNDS_MOST];
    const size_t n = record_reals(record, alone, a, ROUNDS_MOST), m = record_reals(record, together, b, ROUNDS_MOST);
    const size_t both = n < m ? n : m;
    const int rounds = both < ROUNDS_MOST ? (int)both : ROUNDS_MOST;
    if (rounds < 1) return false;
    for (int i = 0; i < rounds; i++) a[i] = a[i] / b[i] - 1;
    const struct base_interval middle = base_stats_median(a, rounds, SCALE_CONFIDENCE);
    *value = middle.median;
    *sd = (middle.high - middle.low) / 4; /* an interval of 95% is about four standard errors wide */
    return isfinite(*value) && *value > -1;
}

/* Keeps those of the most ranks; of as many, the last. */
static void take_slowdowns(struct scale_links *links, const struct scale_links *read) {
    if (read->share_ranks < links->share_ranks) return;
    links->share_ranks = read->share_ranks;
    links->matmul = read->matmul, links->matmul_sd = read->matmul_sd;
    links->pass = read->pass, links->pass_sd = read->pass_sd;
}

static void read_share(const struct scale_curve *c, int threads, struct scale_links *links) {
    for (size_t i = 0; i < c->record_count; i++) {
        const json_t *record = c->records[i].record;
        const long long world = record_whole(record, "layout.world"), nodes = record_whole(record, "layout.nodes");
        if (!usable(c, record, threads, "share") || nodes < 1 || world / nodes < 2) continue;
        struct scale_links read = {.share_ranks = (int)(world / nodes)};
        if (slowdown(record, "samples.matmul_alone_flop_per_s", "samples.matmul_together_flop_per_s", &read.matmul,
                     &read.matmul_sd) &&
            slowdown(record, "samples.pass_alone_byte_per_s", "samples.pass_together_byte_per_s", &read.pass,
                     &read.pass_sd))
            take_slowdowns(links, &read);
    }
}

/* The best rate of a roof on so many threads, with its standard error relative to it. False: none was measured. */
static bool best_roof(const json_t *record, const char *kind, const char *pass, const char *key, int threads,
                      double *rate, double *error) {
    const json_t *row;
    char low[64], high[64];
    size_t i;
    snprintf(low, sizeof low, "%s_low", key), snprintf(high, sizeof high, "%s_high", key);
    *rate = 0;
    json_array_foreach(record_at(record, "result.rows"), i, row) {
        const double x = record_real(row, key);
        if (strcmp(record_text(row, "kind"), kind) != 0 || strcmp(record_text(row, "pass"), pass) != 0) continue;
        if (record_whole(row, "threads") != threads || !(x > *rate)) continue;
        *rate = x;
        *error = (record_real(row, high) - record_real(row, low)) / 4 / x;
    }
    return *rate > 0 && isfinite(*error);
}

/* How much longer R ranks of T threads take together, from a roof on T threads and on R T. */
static bool roof_slowdown(const json_t *record, const char *kind, const char *pass, const char *key, int threads,
                          int ranks, double *value, double *sd) {
    double one, all, one_error, all_error;
    if (!best_roof(record, kind, pass, key, threads, &one, &one_error) ||
        !best_roof(record, kind, pass, key, ranks * threads, &all, &all_error))
        return false;
    *value = one * ranks / all - 1;
    *sd = (1 + *value) * hypot(one_error, all_error);
    return true;
}

/* The slowdown from records of toise roofs, on the most ranks that they have. */
static void read_roofs(const struct scale_curve *c, int threads, struct scale_links *links) {
    for (size_t i = 0; i < c->record_count && threads > 0; i++) {
        const json_t *record = c->records[i].record;
        const int ranks = (int)record_whole(record, "layout.threads") / threads;
        if (strcmp(record_text(record, "kind"), "roofs") != 0 || foreign(c, record) || ranks < 2) continue;
        struct scale_links read = {.share_ranks = ranks};
        if (roof_slowdown(record, "peak", "", "flop_per_s", threads, ranks, &read.matmul, &read.matmul_sd) &&
            roof_slowdown(record, "memory", "triad", "byte_per_s", threads, ranks, &read.pass, &read.pass_sd))
            take_slowdowns(links, &read);
    }
}

void scale_links_read(const struct scale_curve *c, int threads, double bytes, struct scale_links *links) {
    struct scale_datum d[TIMES_MOST];
    *links = (struct scale_links){0};
    for (int link = 0; link < SCALE_LINKS; link++) {
        int n = take(c, threads, bytes, (enum scale_link)link, true, d);
        if (n < NEAR_LEAST) n = take(c, threads, bytes, (enum scale_link)link, false, d);
        links->known[link] = scale_least_fit(&links->line[link], d, n, 2, 0);
    }
    read_hidden(c, threads, links);
    read_share(c, threads, links);
    if (!links->share_ranks) read_roofs(c, threads, links);
    for (size_t i = 0; i < c->record_count; i++)
        links->foreign += measures(c->records[i].record) && foreign(c, c->records[i].record);
}

void scale_links_of_points(const struct scale_curve *c, const double *extra_s, double messages, double bytes,
                           struct scale_links *links) {
    struct scale_datum d[TIMES_MOST];
    const enum scale_link link = scale_nodes(c, c->points[c->count - 1].n) > 1 ? SCALE_SEVERAL_NODES : SCALE_ONE_NODE;
    int n = 0;
    for (int k = 0; k < c->count && n < TIMES_MOST; k++) {
        const struct scale_point *p = &c->points[k];
        const double ranks = p->n * scale_unit_ranks(c);
        double part;
        if (isnan(extra_s[k]) || ranks < 2 || (scale_nodes(c, p->n) > 1) != (int)link) continue;
        d[n] = (struct scale_datum){.y = extra_s[k], .scale = p->step_s, .point = k};
        scale_ring(ranks, &d[n].x[0], &part);
        d[n].x[0] *= messages;
        d[n++].x[1] = part * bytes;
    }
    links->known[link] = scale_least_fit(&links->line[link], d, n, 2, 0);
}
