/* SPDX-License-Identifier: Apache-2.0
 *
 * From pairs to verdicts: ratios, Holm's correction over all pairs, the mean of each side, likely causes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare/parts.h"
#include "records/get.h"

static const json_t *head_of(const struct compare *c, const struct compare_group *g) {
    return c->records[g->first];
}

static bool differ(const json_t *base, const json_t *new, const char *path) {
    const json_t *before = record_at(base, path), *after = record_at(new, path);
    return before && after && !json_equal(before, after);
}

/* A CPU whose matrix unit is unused is faster than its figures: another CPU cannot be compared with it. */
static bool is_lower_bound(const json_t *base, const json_t *new) {
    static const char path[] = "machine.unused_matrix_unit";
    return differ(base, new, "machine.cpu") && (*record_text(base, path) || *record_text(new, path));
}

static bool other_build(const json_t *base, const json_t *new) {
    return differ(base, new, "version") || differ(base, new, "machine.compiler") ||
           differ(base, new, "machine.compiler_flags");
}

static enum compare_withheld withheld(const struct compare *c, const struct compare_pair *p) {
    const json_t *base = head_of(c, p->base), *new = head_of(c, p->new);
    if (p->base->count < STUDY_LAUNCHES_LEAST || p->new->count < STUDY_LAUNCHES_LEAST) return COMPARE_FEW;
    if (is_lower_bound(base, new)) return COMPARE_LOWER_BOUND;
    return other_build(base, new) && !c->options->across_builds ? COMPARE_BUILDS : COMPARE_FAIR;
}

static int measure(const struct compare *c, struct compare_pair *p, struct base_error *e) {
    const int code = study_ratio_launches(c->values + p->base->first, (int)p->base->count, c->values + p->new->first,
                                          (int)p->new->count, &p->ratio, e);
    if (code) return code;
    p->withheld = withheld(c, p);
    p->p = p->withheld == COMPARE_FEW ? NAN : study_ratio_p(&p->ratio);
    p->p_outside = p->withheld == COMPARE_FEW ? NAN : study_ratio_p_outside(&p->ratio, c->options->delta);
    return BASE_OK;
}

/* A pair is different or equivalent, or neither can be said. Each of the two claims is wrong for at most 5% of
 * comparisons, however many pairs they have. */
static int adjust(struct compare *c, struct base_error *e) {
    const int n = (int)c->pair_count;
    double *p = malloc(2 * (size_t)n * sizeof *p), *outside = p + n;
    if (!p) return base_fail(e, BASE_BROKEN, "out of memory for %d pairs", n);
    for (int i = 0; i < n; i++) p[i] = c->pairs[i].p, outside[i] = c->pairs[i].p_outside;
    int code = study_holm(p, n, e);
    if (!code) code = study_holm(outside, n, e);
    for (int i = 0; i < n && !code; i++) c->pairs[i].p = p[i], c->pairs[i].p_outside = outside[i];
    free(p);
    return code;
}

/* The same rule as study_verdict_of, by p values. */
static enum study_verdict verdict_of(double log, double p, double p_outside) {
    if (p_outside <= STUDY_ALPHA) return STUDY_EQUIVALENT;
    if (!(p <= STUDY_ALPHA)) return STUDY_INCONCLUSIVE;
    return log > 0 ? STUDY_FASTER : STUDY_SLOWER;
}

/* Looks for causes of a difference, also if there is no verdict on the hardware. */
static int explain(struct compare *c, struct compare_pair *p, struct base_error *e) {
    const struct compare_evidence x = {.base = c->records + p->base->first,
                                       .new = c->records + p->new->first,
                                       .n = (int)p->base->count,
                                       .m = (int)p->new->count,
                                       .log = p->ratio.log};
    const int code = compare_changes(&x, p->changes, e);
    const enum study_verdict found = verdict_of(p->ratio.log, p->p, p->p_outside);
    if (!code && (found == STUDY_FASTER || found == STUDY_SLOWER)) p->causes = compare_causes(&x, p->changes);
    p->verdict = p->withheld ? STUDY_INCONCLUSIVE : found;
    return code;
}

double compare_side_alpha(const struct compare *c) {
    return STUDY_ALPHA / (c->sides - 1);
}

/* A side is not better than its pairs: if the mean is not slower but a pair is, nothing is decided. */
static enum study_verdict side_verdict(const struct compare *c, const struct compare_side *s) {
    const double alpha = compare_side_alpha(c);
    if (!s->pairs || s->withheld) return STUDY_INCONCLUSIVE;
    const enum study_verdict mean =
        study_verdict_of(study_ratio_low(&s->ratio, alpha), study_ratio_high(&s->ratio, alpha), c->options->delta);
    return mean != STUDY_SLOWER && s->count[STUDY_SLOWER] ? STUDY_INCONCLUSIVE : mean;
}

static int judge_side(struct compare *c, int side, struct study_sides *pairs, struct base_error *e) {
    struct compare_side *s = &c->side[side];
    int code = BASE_OK;
    for (size_t i = 0; i < c->pair_count; i++) {
        const struct compare_pair *p = &c->pairs[i];
        if (p->new->side != side) continue;
        s->count[p->verdict]++;
        if (p->withheld == COMPARE_FEW) {
            s->few++;
            continue;
        }
        if (p->withheld > s->withheld) s->withheld = p->withheld;
        pairs[s->pairs++] = (struct study_sides){c->values + p->base->first, c->values + p->new->first,
                                                 (int)p->base->count, (int)p->new->count, &p->ratio};
    }
    if (s->pairs) code = study_ratio_overall(pairs, s->pairs, &s->ratio, e);
    if (!s->pairs && s->few) s->withheld = COMPARE_FEW;
    s->verdict = side_verdict(c, s);
    return code;
}

int compare_judge(struct compare *c, struct base_error *e) {
    struct study_sides *pairs = malloc((c->pair_count + 1) * sizeof *pairs);
    int code = pairs ? BASE_OK : base_fail(e, BASE_BROKEN, "out of memory for %zu pairs", c->pair_count);
    for (size_t i = 0; i < c->pair_count && !code; i++) code = measure(c, &c->pairs[i], e);
    if (!code) code = adjust(c, e);
    for (size_t i = 0; i < c->pair_count && !code; i++) code = explain(c, &c->pairs[i], e);
    for (int side = 1; side < c->sides && !code; side++) code = judge_side(c, side, pairs, e);
    free(pairs);
    return code;
}

enum study_verdict compare_verdict(const struct compare *c) {
    static const enum study_verdict worst[] = {STUDY_SLOWER, STUDY_INCONCLUSIVE, STUDY_EQUIVALENT};
    for (int i = 0; i < 3; i++)
        for (int side = 1; side < c->sides; side++)
            if (c->side[side].verdict == worst[i]) return worst[i];
    return STUDY_FASTER;
}
