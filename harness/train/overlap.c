/* SPDX-License-Identifier: Apache-2.0
 *
 * Chooses between sending gradients during backward and after it. The rule only looks at step times that all ranks
 * share. The choice as a record's `result.overlap`, and back from a journal. */
#include "train/warmup.h"

#include <math.h>
#include <string.h>

#include "records/get.h"
#include "records/set.h"
#include "train/record.h"

const char *train_overlap_name(int mode) {
    static const char *const names[] = {"auto", "on", "off"};
    return mode >= 0 && mode <= TRAIN_OVERLAP_OFF ? names[mode] : NULL;
}

int train_overlap_pairs(int steps) {
    const int pairs = (steps - 1) / 2;
    return pairs < TRAIN_OVERLAP_LEAST ? 0 : pairs < TRAIN_OVERLAP_MOST ? pairs : TRAIN_OVERLAP_MOST;
}

bool train_overlap_tries(int i) {
    return (i + 1) / 2 % 2;
}

bool train_overlap_enough(const double *step_s, int pairs) {
    double seconds = 0;
    for (int i = 0; i < 2 * pairs; i++) seconds += step_s[i];
    return pairs >= TRAIN_OVERLAP_MOST || (pairs >= TRAIN_OVERLAP_LEAST && seconds >= TRAIN_OVERLAP_S);
}

/* The median of the steps that overlap, or of the others. */
static double median(const double *step_s, int pairs, bool overlap) {
    double mine[TRAIN_OVERLAP_MOST] = {0};
    int n = 0;
    for (int i = 0; i < 2 * pairs; i++)
        if (train_overlap_tries(i) == overlap) mine[n++] = step_s[i];
    return base_stats_median(mine, n, MEASURE_CONFIDENCE).median;
}

void train_overlap_choose(struct train_overlap *o, const double *step_s, int pairs) {
    o->pairs = pairs;
    o->with_s = median(step_s, pairs, true);
    o->without_s = median(step_s, pairs, false);
    o->chosen = o->without_s < (1 - TRAIN_OVERLAP_GAIN) * o->with_s ? TRAIN_OVERLAP_OFF : TRAIN_OVERLAP_ON;
    o->why = TRAIN_OVERLAP_TRIED;
}

static const char *const why[] = {
    [TRAIN_OVERLAP_ASKED] = "asked",     [TRAIN_OVERLAP_TRIED] = "tried",     [TRAIN_OVERLAP_FEW] = "short warm-up",
    [TRAIN_OVERLAP_LONG] = "long steps", [TRAIN_OVERLAP_RESUMED] = "resumed",
};
enum { WHYS = sizeof why / sizeof *why };

json_t *train_overlap_json(const struct train_overlap *x) {
    json_t *o = json_object();
    record_set(o, "chosen", json_string(train_overlap_name((int)x->chosen)));
    record_set(o, "why", json_string(why[x->why]));
    record_set_integer(o, "pairs", x->pairs);
    if (!x->pairs) return o;
    record_set(o, "rule", json_string(TRAIN_OVERLAP_RULE));
    record_set_integer(o, "first", x->first);
    record_set_number(o, "with_s", x->with_s);
    record_set_number(o, "without_s", x->without_s);
    return o;
}

bool train_overlap_read(const json_t *o, struct train_overlap *x) {
    const char *chosen = record_text(o, "chosen");
    *x = (struct train_overlap){.with_s = record_real(o, "with_s"), .without_s = record_real(o, "without_s")};
    for (int i = TRAIN_OVERLAP_ON; i <= TRAIN_OVERLAP_OFF; i++)
        if (!strcmp(chosen, train_overlap_name(i))) x->chosen = (enum train_overlap_mode)i;
    for (int i = 0; i < WHYS; i++)
        if (!strcmp(record_text(o, "why"), why[i])) x->why = (enum train_overlap_why)i;
    x->first = (int)record_whole(o, "first");
    x->pairs = isnan(x->with_s) || isnan(x->without_s) ? 0 : (int)record_whole(o, "pairs");
    return x->chosen != TRAIN_OVERLAP_AUTO;
}
