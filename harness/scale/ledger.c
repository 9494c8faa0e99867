/* SPDX-License-Identifier: Apache-2.0
 *
 * The ledger's model: its parts, and draws of what its parameters could be. */
#include "scale/ledger.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "base/stats.h"

enum { SAMPLES_MOST = 4096, SEED = 99 };

/* The model's parameters. The first is a factor of compute. */
enum term { COMPUTE, ALPHA, BETA, ALPHA_FAR, BETA_FAR, HIDDEN, NOISE, MATMUL, PASS };
_Static_assert(PASS + 1 == SCALE_TERMS, "a model has room for these terms");

/* The expected largest of n standard normal numbers. The quantile by Abramowitz and Stegun 26.2.23, within 4.5e-4: it
 * is needed for every draw. */
static double largest(double n) {
    if (!(n > 1)) return 0;
    const double t = sqrt(-2 * log(1 - (n - 0.375) / (n + 0.25)));
    return t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
}

/* How much longer work takes with so many ranks on a node, against the base. */
static double slowed(double slowdown, double share_ranks, double ranks, double base_ranks) {
    if (share_ranks < 2) return 1;
    return (1 + slowdown * (ranks - 1) / (share_ranks - 1)) / (1 + slowdown * (base_ranks - 1) / (share_ranks - 1));
}

/* Ranks of a node at n units. */
static double node_ranks(const struct scale_curve *c, double n) {
    return n * scale_unit_ranks(c) / scale_nodes(c, n);
}

static struct scale_parts parts_of(const struct scale_model *m, const double *a, double n) {
    const struct scale_curve *c = m->curve;
    const struct scale_ledger *l = m->ledger;
    const double base_n = c->points[c->base].n, ranks = n * scale_unit_ranks(c);
    const double own = node_ranks(c, n), base_own = node_ranks(c, base_n);
    const bool far = scale_nodes(c, n) > 1;
    const double tokens = scale_tokens(c, n) / ranks, batch = scale_batch(c, n) / ranks;
    const double matmul = slowed(a[MATMUL], l->links.share_ranks, own, base_own),
                 pass = slowed(a[PASS], l->links.share_ranks, own, base_own);
    struct scale_parts p = {0};
    p.compute_s = a[COMPUTE] * (l->work_s * tokens * matmul + l->fixed_s * pass);
    p.imbalance_s = p.compute_s * a[NOISE] * (largest(n) - largest(base_n));
    if (ranks < 2) return p;
    if (!l->links.known[far]) { /* the base's own is measured */
        p.exposed_s = n == base_n ? l->communication_s : NAN;
        return p;
    }
    double steps, part;
    scale_ring(ranks, &steps, &part);
    const double all = l->messages * steps * a[far ? ALPHA_FAR : ALPHA] + part * l->bytes * a[far ? BETA_FAR : BETA];
    const double window = a[COMPUTE] * l->backward_s * matmul * fmin(l->micro_batch, batch) * c->seq;
    const double hidden_share = isnan(a[HIDDEN]) ? 0 : a[HIDDEN];
    p.exposed_s = all - hidden_share * fmin(all * (1 - 1 / l->messages), window);
    return p;
}

struct scale_parts scale_ledger_parts(const struct scale_model *m, double n) {
    return parts_of(m, m->value, n);
}

static double rate(const struct scale_model *m, const double *a, double n) {
    const struct scale_parts p = parts_of(m, a, n);
    return scale_tokens(m->curve, n) / (p.compute_s + p.exposed_s + p.imbalance_s);
}

/* clang-format off */
static double alpha(const double *a) { return a[ALPHA]; }
static double beta(const double *a) { return a[BETA]; }
static double alpha_far(const double *a) { return a[ALPHA_FAR]; }
static double beta_far(const double *a) { return a[BETA_FAR]; }
static double hidden(const double *a) { return a[HIDDEN]; }
static double noise(const double *a) { return a[NOISE]; }
static double matmul(const double *a) { return a[MATMUL]; }
static double pass(const double *a) { return a[PASS]; }
/* clang-format on */

static const struct scale_parameter PARAMETERS[] = {{"alpha_s", alpha},
                                                    {"s_per_byte", beta},
                                                    {"alpha_between_nodes_s", alpha_far},
                                                    {"s_per_byte_between_nodes", beta_far},
                                                    {"hidden_share", hidden},
                                                    {"step_noise", noise},
                                                    {"matmul_slowdown", matmul},
                                                    {"pass_slowdown", pass},
                                                    {NULL, NULL}};

/* The share of some phases in the base's steps; NAN: no run has phases. */
static double share_of(const struct scale_point *base, const char *const *phases) {
    double sum = 0;
    int runs = 0;
    for (int i = 0; i < base->count; i++) {
        const json_t *breakdown = record_at(base->runs[i].record, "result.breakdown");
        double all = 0, some = 0;
        const char *name;
        json_t *value;
        json_object_foreach((json_t *)breakdown, name, value) {
            all += json_number_value(value);
            for (const char *const *p = phases; *p; p++)
                if (!strcmp(*p, name)) some += json_number_value(value);
        }
        if (all > 0) sum += some / all, runs++;
    }
    return runs ? sum / runs : NAN;
}

/* The relative standard deviation of steps within the base's runs. */
static void read_noise(const struct scale_point *base, struct scale_ledger *l) {
    double squares = 0, x[SAMPLES_MOST];
    int df = 0;
    for (int i = 0; i < base->count; i++) {
        const size_t all = record_reals(base->runs[i].record, "samples.step_s", x, SAMPLES_MOST);
        const int n = all < SAMPLES_MOST ? (int)all : SAMPLES_MOST;
        double mean = 0;
        for (int k = 0; k < n; k++) mean += x[k] / n;
        for (int k = 0; k < n && mean > 0; k++) squares += (x[k] / mean - 1) * (x[k] / mean - 1);
        if (n > 1) df += n - 1;
    }
    l->noise = df ? sqrt(squares / df) : 0;
    l->samples = df;
}

/* Gradients of a rank that has peers: of a record that has some, else FP32 of every parameter in buckets. */
static void read_messages(const struct scale_curve *c, struct scale_ledger *l) {
    l->messages = l->bytes = 0;
    for (int i = 0; i < c->run_count; i++) {
        const json_t *r = c->runs[i].record;
        if (!(record_real(r, "ledger.messages_per_rank") > 0)) continue;
        l->messages = record_real(r, "ledger.messages_per_rank");
        l->bytes = record_real(r, "ledger.message_bytes_per_rank");
    }
    if (l->messages > 0 && l->bytes > 0) return;
    const double bucket = (double)record_whole(c->runs[0].record, "layout.bucket_bytes");
    l->bytes = 4 * (double)record_whole(c->runs[0].record, "config.parameters");
    l->messages = bucket > 0 ? fmax(1, ceil(l->bytes / bucket)) : 1;
}

/* The base's parts. False: its records lack the phases of a step, or its sizes. */
static bool read_base(const struct scale_curve *c, struct scale_ledger *l) {
    static const char *const work[] = {"batch", "forward", "head", "backward", NULL}, *const back[] = {"backward",
                                                                                                       NULL};
    static const char *const send[] = {"communication", NULL};
    static const char *const fixed[] = {"zero", "clip", "update", "other", NULL};
    const struct scale_point *base = &c->points[c->base];
    const double tokens = scale_tokens(c, base->n) / (base->n * scale_unit_ranks(c));
    l->work_s = share_of(base, work) * base->step_s / tokens;
    l->backward_s = share_of(base, back) * base->step_s / tokens;
    l->fixed_s = share_of(base, fixed) * base->step_s;
    l->communication_s = share_of(base, send) * base->step_s;
    l->micro_batch = (double)record_whole(base->runs[0].record, "layout.micro_batch");
    l->base_df = base->count > 1 ? base->count - 1 : INFINITY;
    l->base_sd = base->count > 1 ? log(base->rate.high / base->rate.low) / 2 /
                                       base_stats_student(0.5 + SCALE_CONFIDENCE / 2, base->count - 1)
                                 : SCALE_ASSUMED_SD;
    read_noise(base, l);
    read_messages(c, l);
    return isfinite(l->work_s + l->fixed_s) && l->micro_batch > 0 && l->bytes > 0;
}

static double within(double x, double low, double high) {
    return fmin(high, fmax(low, x));
}

/* Draw number i; -1: the value itself. */
static void fill(const struct scale_ledger *l, int i, double *a) {
    const struct scale_links *k = &l->links;
    const bool drawn = i >= 0;
    float z[8] = {0}; /* the value itself is where all of them are 0 */
    if (drawn) base_random_normal(SEED, BASE_STREAM_STATS, (uint64_t)i * 8, 8, z);
    for (int link = 0; link < SCALE_LINKS; link++) {
        double *to = a + (link ? ALPHA_FAR : ALPHA), line[SCALE_LEAST_TERMS] = {NAN, NAN, NAN};
        if (k->known[link] && drawn) scale_least_draw(&k->line[link], (uint64_t)(SEED + 1 + link), i, line);
        if (k->known[link] && !drawn) memcpy(line, k->line[link].a, sizeof line);
        to[0] = line[0], to[1] = line[1];
    }
    /* Student's t for few runs of the base, by the normal number's quantile */
    const double t =
        !drawn || !isfinite(l->base_df) ? z[0] : base_stats_student(base_stats_student_cdf(z[0], INFINITY), l->base_df);
    a[COMPUTE] = exp(l->base_sd * t);
    a[HIDDEN] = isnan(k->hidden) ? NAN : within(k->hidden + k->hidden_sd * z[1], 0, 1);
    a[NOISE] = l->noise * (l->samples ? exp(z[2] / sqrt(2.0 * l->samples)) : 1);
    a[MATMUL] = k->share_ranks ? fmax(0, k->matmul + k->matmul_sd * z[3]) : NAN;
    a[PASS] = k->share_ranks ? fmax(0, k->pass + k->pass_sd * z[4]) : NAN;
}

/* What the points' steps take beyond compute and imbalance, for a fit of alpha and beta. */
static int fit_links(const struct scale_curve *c, struct scale_ledger *l, struct scale_model *m, struct base_error *e) {
    double *extra = malloc((size_t)c->count * sizeof *extra);
    if (!extra) return base_fail(e, BASE_BROKEN, "out of memory for %d points", c->count);
    fill(l, -1, m->value);
    for (int k = 0; k < c->count; k++) {
        const struct scale_parts p = parts_of(m, m->value, c->points[k].n);
        extra[k] = scale_point_rated(&c->points[k]) ? c->points[k].step_s - p.compute_s - p.imbalance_s : NAN;
    }
    scale_links_of_points(c, extra, l->messages, l->bytes, &l->links);
    l->from_points = true;
    free(extra);
    return BASE_OK;
}

/* The root mean square of log(model / measured) over the points other than the base. */
static void compare(struct scale_model *m) {
    const struct scale_curve *c = m->curve;
    double squares = 0;
    int n = 0;
    for (int k = 0; k < c->count; k++) {
        const double off = log(rate(m, m->value, c->points[k].n) / c->points[k].rate.value);
        if (k != c->base && isfinite(off)) squares += off * off, n++;
    }
    m->misfit = n ? sqrt(squares / n) : NAN;
    if (n > 1 && m->misfit > m->run_sd) m->run_sd = m->misfit; /* it is known to be off by that much */
}

/* The furthest unit that is asked for. */
static double furthest(const struct scale_curve *c) {
    double n = c->points[c->count - 1].n;
    for (int i = 0; i < c->options->ahead; i++) n = fmax(n, c->options->n[i]);
    return n;
}

static void refuse_links(const struct scale_curve *c, struct scale_model *m) {
    const bool far = scale_nodes(c, furthest(c)) > 1;
    snprintf(
        m->refused, sizeof m->refused,
        "fewer than three all-reduces %s were timed%s, and there are too few points with peers to fit one: add records "
        "of %s",
        far ? "between nodes" : "between ranks of a node", m->ledger->links.foreign ? " on this CPU" : "",
        far ? "toise comm on several nodes" : "mpirun -n 2 toise comm");
}

json_t *scale_ledger_assumed(const struct scale_model *m) {
    const struct scale_ledger *l = m->ledger;
    const struct scale_curve *c = m->curve;
    json_t *list = json_array();
    if (l->from_points)
        json_array_append_new(list,
                              json_string("alpha and beta are fitted to these points: few all-reduces were timed"));
    else if (isnan(l->links.hidden))
        json_array_append_new(list, json_string("compute hides no communication: toise comm did not measure it"));
    if (!l->links.share_ranks && node_ranks(c, furthest(c)) != node_ranks(c, c->points[c->base].n))
        json_array_append_new(
            list, json_string("ranks of a node do not slow each other: neither toise comm nor roofs measured it"));
    if (l->links.foreign)
        json_array_append_new(
            list,
            json_sprintf("%ld records of toise comm or roofs are of another CPU, and were left out", l->links.foreign));
    if (m->run_sd_assumed)
        json_array_append_new(list, json_sprintf("runs vary by %.0f%%: no point has two", 100 * m->run_sd));
    return list;
}

int scale_ledger_fit(const struct scale_curve *c, struct scale_ledger *l, struct scale_model *m, struct base_error *e) {
    *l = (struct scale_ledger){.links = {.hidden = NAN}};
    *m = (struct scale_model){.name = "ledger",
                              .terms = SCALE_TERMS,
                              .parameters = PARAMETERS,
                              .rate = rate,
                              .curve = c,
                              .ledger = l,
                              .misfit = NAN,
                              .lack_p = NAN,
                              .run_sd = c->run_df > 0 ? c->run_sd : SCALE_ASSUMED_SD,
                              .run_sd_assumed = !(c->run_df > 0)};
    if (!read_base(c, l)) {
        snprintf(m->refused, sizeof m->refused, "the base's record lacks the phases of its step, or its sizes");
        return BASE_OK;
    }
    const json_t *layout = record_at(c->runs[0].record, "layout");
    if (record_at(layout, "tp") || record_at(layout, "pp") || record_at(layout, "cp") || record_at(layout, "ep") ||
        record_at(layout, "zero")) {
        snprintf(m->refused, sizeof m->refused,
                 "it prices all-reduces of gradients alone, and these runs used --tp, --cp, --ep, --pp or --zero");
        return BASE_OK;
    }
    scale_links_read(c, (int)record_whole(c->runs[0].record, "layout.threads"), l->bytes / l->messages, &l->links);
    int code = BASE_OK;
    if (!l->links.known[SCALE_ONE_NODE] && !l->links.known[SCALE_SEVERAL_NODES]) code = fit_links(c, l, m, e);
    if (!code && furthest(c) * scale_unit_ranks(c) > 1 && !l->links.known[scale_nodes(c, furthest(c)) > 1]) {
        refuse_links(c, m);
        return BASE_OK;
    }
    if (!code) code = scale_model_open(m, e);
    if (code) return code;
    fill(l, -1, m->value);
    for (int i = 0; i < SCALE_DRAWS; i++) fill(l, i, m->draw[i]);
    compare(m);
    return BASE_OK;
}
