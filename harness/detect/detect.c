/* SPDX-License-Identifier: Apache-2.0
 *
 * Judges the nodes group by group. */
#include "detect/detect.h"

#include <math.h>
#include <stdlib.h>

#include "base/stats.h"
#include "detect/levels.h"

#define NOISY 3.0 /* a node's variance above so many times the typical one is no accident */
#define TINY 1e-9 /* a scale is at least so large: equal times differ by rounding */

/* The variance of median and quartile over that of the mean, of normal values: q (1 - q) over the squared density. */
static const double VARIANCE[DETECT_STATISTICS] = {1.571, 1.857};

/* The nodes of a group that are judged, and what they share. */
struct group {
    const struct detect_node **node;
    struct detect_judgement **judgement;
    struct detect_level *level;
    double *x, *scratch;
    int count;
    double typical[DETECT_STATISTICS], scale[DETECT_STATISTICS]; /* of levels */
    double df, critical[DETECT_STATISTICS];                      /* of scales; in scales */
    double noise, correlation;                                   /* of samples */
    double samples;                                              /* the median number of a node */
    bool assumed;
};

static struct detect_options options_of(const struct detect_options *given) {
    struct detect_options o = given ? *given : (struct detect_options){0};
    if (!(o.alpha > 0)) o.alpha = DETECT_ALPHA;
    if (!(o.power > 0)) o.power = DETECT_POWER;
    if (!(o.spread > 0)) o.spread = DETECT_SPREAD;
    if (!(o.least > 0)) o.least = DETECT_LEAST;
    if (o.quantities < 1) o.quantities = 1;
    return o;
}

/* The variance that noise gives a level of `samples` samples. */
static double noise_variance(const struct group *g, enum detect_statistic k, double sd, double samples) {
    return VARIANCE[k] * sd * sd * g->correlation / samples;
}

static double usual_variance(const struct group *g, enum detect_statistic k) {
    return noise_variance(g, k, g->noise, g->samples);
}

/* Typical levels and their scales. Degrees of freedom are those at which healthy fleets have their false alarms as
 * promised (tests/unit/detect). */
static void measure(struct group *g, const struct detect_options *o) {
    double independent = 0;
    for (int i = 0; i < g->count; i++) g->x[i] = g->level[i].sd;
    g->noise = base_stats_quantile(g->x, g->count, 0.5);
    for (int i = 0; i < g->count; i++) g->x[i] = g->level[i].samples;
    g->samples = base_stats_quantile(g->x, g->count, 0.5);
    g->correlation = detect_correlation(g->node, g->level, g->count, g->scratch);
    g->df = 0.9 * (g->count - 1);
    g->assumed = g->count < DETECT_FLEET;
    for (int i = 0; i < g->count; i++) independent += g->level[i].samples / g->correlation - 1;
    if (g->assumed) g->df = fmax(3, independent);
    for (int k = 0; k < DETECT_STATISTICS; k++) {
        for (int i = 0; i < g->count; i++) g->x[i] = g->scratch[i] = g->level[i].at[k];
        g->typical[k] = base_stats_quantile(g->scratch, g->count, 0.5);
        g->scale[k] = fmax(TINY, detect_scale(g->x, g->count, g->typical[k], g->scratch));
        if (g->assumed) g->scale[k] = fmax(g->scale[k], hypot(o->spread, sqrt(usual_variance(g, k))));
    }
}

/* The scale of node i: wider with fewer samples, or if its own are far noisier than usual. */
static double scale_of(const struct group *g, int i, enum detect_statistic k) {
    const struct detect_level *l = &g->level[i];
    const double usual = noise_variance(g, k, g->noise, l->samples), own = noise_variance(g, k, l->sd, l->samples);
    const double fewer = fmax(0, usual - usual_variance(g, k)), noisier = fmax(0, own - NOISY * usual);
    const double square = g->scale[k] * g->scale[k], of_typical = VARIANCE[DETECT_MEDIAN] / g->count * square;
    return sqrt(square + of_typical + fewer + noisier);
}

/* That one of `tests` healthy nodes is so far above; normal tails are lighter than Student's, and fast to compute. */
static double p_of(const struct group *g, double scales, double tests) {
    if (tests * erfc(scales / sqrt(2)) / 2 >= 1) return 1;
    return fmin(1, tests * base_stats_student_cdf(-scales, g->df));
}

static void judge(struct group *g, const struct detect_options *o, double tests) {
    const double half = base_stats_student(0.975, g->df);
    g->critical[DETECT_MEDIAN] = base_stats_student(1 - o->alpha / tests, g->df);
    g->critical[DETECT_QUARTILE] = base_stats_student(1 - fmax(DETECT_ALSO, o->alpha / tests), g->df);
    for (int i = 0; i < g->count; i++) {
        const double distance = g->level[i].at[DETECT_MEDIAN] - g->typical[DETECT_MEDIAN];
        const double faster = g->level[i].at[DETECT_QUARTILE] - g->typical[DETECT_QUARTILE];
        const double scale = scale_of(g, i, DETECT_MEDIAN);
        struct detect_judgement *j = g->judgement[i];
        *j = (struct detect_judgement){.why = "", .noise = g->level[i].sd, .slowdown = expm1(distance)};
        j->low = expm1(distance - half * scale), j->high = expm1(distance + half * scale);
        j->p = p_of(g, distance / scale, tests);
        if (j->p > o->alpha || j->slowdown < o->least) continue;
        j->unsteady = faster <= g->critical[DETECT_QUARTILE] * scale_of(g, i, DETECT_QUARTILE);
        if (!j->unsteady) j->verdict = DETECT_SLOW;
    }
}

/* How much slower node i must be to be found, if its level is `from` above the typical one. A slow node widens the
 * scale and moves the median a little: by the density of normal values there. */
static double missing(const struct group *g, const struct detect_options *o, int i, enum detect_statistic k,
                      double from) {
    const double others = g->count - 1, wider = 1 + 1.17 / others + 6 / (others * others);
    const double moved = 1.25 / others * g->scale[k];
    return fmax(k == DETECT_MEDIAN ? log1p(o->least) : 0, g->critical[k] * scale_of(g, i, k) * wider) + moved - from;
}

/* The slowdown with which the share `power` of the nodes would have been found, had each alone been slow. It is the
 * larger of what their levels say and what Student's t says: few nodes do not show where the last of them are. */
static double detectable(const struct group *g, const struct detect_options *o) {
    const double t = base_stats_student(o->power, g->df);
    for (int i = 0; i < g->count; i++) {
        g->x[i] = 0;
        for (int k = 0; k < DETECT_STATISTICS; k++) {
            g->x[i] = fmax(g->x[i], missing(g, o, i, k, g->level[i].at[k] - g->typical[k]));
            g->scratch[i] = fmax(k ? g->scratch[i] : 0, missing(g, o, i, k, -t * scale_of(g, i, k)));
        }
    }
    return expm1(fmax(base_stats_quantile(g->scratch, g->count, 0.5), base_stats_quantile(g->x, g->count, o->power)));
}

/* A call of detect_judge. */
struct run {
    struct detect_options options;
    struct detect_fleet *fleet;
    double tests; /* nodes judged times quantities */
    int largest;  /* group so far */
};

static void judge_group(struct group *g, struct run *run) {
    struct detect_fleet *fleet = run->fleet;
    measure(g, &run->options);
    judge(g, &run->options, run->tests);
    for (int i = 0; i < g->count; i++) fleet->slow += g->judgement[i]->verdict == DETECT_SLOW;
    fleet->detectable = fmax(fleet->detectable, detectable(g, &run->options)); /* the greater of it and NAN is it */
    if (g->count <= run->largest) return;
    run->largest = g->count;
    const double between = g->scale[DETECT_MEDIAN] * g->scale[DETECT_MEDIAN] - usual_variance(g, DETECT_MEDIAN);
    fleet->spread = g->assumed ? run->options.spread : sqrt(fmax(0, between));
    fleet->assumed = g->assumed;
    fleet->noise = g->noise, fleet->independent = g->samples / g->correlation;
}

/* A node that may be judged, in the order of groups. */
struct entry {
    int group, at;
};

static int by_group(const void *a, const void *b) {
    const struct entry *x = a, *y = b;
    return x->group != y->group ? (x->group > y->group) - (x->group < y->group) : (x->at > y->at) - (x->at < y->at);
}

static void leave_out(struct detect_judgement *j, const char *why) {
    *j = (struct detect_judgement){DETECT_UNJUDGED, why, NAN, NAN, NAN, NAN, NAN, false};
}

/* Fills `entries` with the nodes that have samples and peers enough. Returns how many; the others are not judged. */
static int choose(const struct detect_node *nodes, int count, struct entry *entries,
                  struct detect_judgement *judgements) {
    int n = 0, kept = 0;
    for (int i = 0; i < count; i++)
        if (nodes[i].samples >= DETECT_SAMPLES)
            entries[n++] = (struct entry){nodes[i].group, i};
        else
            leave_out(&judgements[i], "too few samples");
    qsort(entries, (size_t)n, sizeof *entries, by_group);
    for (int first = 0, end; first < n; first = end) {
        for (end = first; end < n && entries[end].group == entries[first].group; end++) continue;
        for (int i = first; i < end; i++)
            if (end - first >= DETECT_PEERS)
                entries[kept++] = entries[i];
            else
                leave_out(&judgements[entries[i].at], "too few nodes like it");
    }
    return kept;
}

static int check(const struct detect_node *nodes, int count, int *most, struct base_error *e) {
    for (int i = 0; i < count; i++) {
        *most = nodes[i].samples > *most ? nodes[i].samples : *most;
        for (int k = 0; k < nodes[i].samples; k++)
            if (!(nodes[i].seconds[k] > 0) || !isfinite(nodes[i].seconds[k]))
                return base_fail(e, BASE_USAGE, "sample %d of node %d is %g: times are finite and above 0", k, i,
                                 nodes[i].seconds[k]);
    }
    return BASE_OK;
}

/* Judges each stretch of entries of one group. */
static void judge_all(const struct detect_node *nodes, const struct entry *entries, int n,
                      struct detect_judgement *judgements, struct group *room, struct run *run) {
    run->fleet->judged = n;
    run->tests = (double)n * run->options.quantities;
    for (int first = 0, end; first < n; first = end) {
        for (end = first; end < n && entries[end].group == entries[first].group; end++) {
            const int k = end - first, at = entries[end].at;
            room->node[k] = &nodes[at], room->judgement[k] = &judgements[at];
            room->level[k] = detect_level(&nodes[at], room->scratch);
        }
        room->count = end - first;
        judge_group(room, run);
    }
}

int detect_judge(const struct detect_node *nodes, int count, const struct detect_options *options,
                 struct detect_judgement *judgements, struct detect_fleet *fleet, struct base_error *e) {
    struct run run = {.options = options_of(options), .fleet = fleet};
    int most = 0, code = check(nodes, count, &most, e);
    if (code) return code;
    const size_t n = (size_t)count + 1, scratch = n > 2 * (size_t)most ? n : 2 * (size_t)most;
    struct entry *entries = malloc(n * sizeof *entries);
    struct group room = {.node = malloc(n * sizeof *room.node),
                         .judgement = malloc(n * sizeof *room.judgement),
                         .level = malloc(n * sizeof *room.level),
                         .x = malloc(n * sizeof *room.x),
                         .scratch = malloc(scratch * sizeof *room.scratch)};
    *fleet = (struct detect_fleet){.detectable = NAN, .spread = NAN, .noise = NAN, .independent = NAN};
    if (entries && room.node && room.judgement && room.level && room.x && room.scratch) {
        const int judged = choose(nodes, count, entries, judgements);
        fleet->unjudged = count - judged;
        judge_all(nodes, entries, judged, judgements, &room, &run);
    } else {
        code = base_fail(e, BASE_BROKEN, "out of memory to judge %d nodes", count);
    }
    free(entries), free(room.node), free(room.judgement), free(room.level), free(room.x), free(room.scratch);
    return code;
}
