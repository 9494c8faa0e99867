/* SPDX-License-Identifier: Apache-2.0
 *
 * The sequential rule: looks, what each spends, and its verdict. */
#include "study/ab.h"

#include <math.h>

#include "base/stats.h"
#include "study/rank.h"

int study_ab_looks(const struct study_ab_rule *rule, int blocks[STUDY_AB_LOOKS]) {
    int looks = 0;
    for (double n = rule->least; n < rule->most && looks < STUDY_AB_LOOKS - 1; n = ceil(n * sqrt(2)))
        blocks[looks++] = (int)n;
    blocks[looks++] = rule->most;
    return looks;
}

/* Pocock's boundary, as a share of alpha, after this share of all blocks. */
static double spending(double share) {
    return log(1 + (exp(1) - 1) * share);
}

double study_ab_spent(const struct study_ab_rule *rule, int blocks) {
    int look[STUDY_AB_LOOKS], i = 0;
    const int looks = study_ab_looks(rule, look);
    while (i < looks - 1 && look[i] < blocks) i++;
    const double before = i ? spending((double)look[i - 1] / rule->most) : 0;
    return rule->alpha * (spending((double)look[i] / rule->most) - before);
}

bool study_ab_look(const struct study_ab_rule *rule, int blocks) {
    int look[STUDY_AB_LOOKS];
    const int looks = study_ab_looks(rule, look);
    for (int i = 0; i < looks; i++)
        if (look[i] == blocks) return true;
    return false;
}

static struct study_ab_view judge_by_mean(const double *a, const double *b, int blocks, double spent) {
    const struct study_ratio r = study_ratio_paired(a, b, blocks);
    return (struct study_ab_view){
        .ratio = exp(r.log), .low = study_ratio_low(&r, spent), .high = study_ratio_high(&r, spent), .sd = r.sd[0]};
}

static struct study_ab_view judge_by_ranks(const double *a, const double *b, int blocks, double spent) {
    double difference[STUDY_AB_MOST];
    for (int i = 0; i < blocks; i++) difference[i] = b[i] - a[i];
    const struct study_rank r = study_rank_interval(difference, blocks, spent);
    const double half = base_stats_student(1 - spent / 2, blocks - 1);
    return (struct study_ab_view){.ratio = exp(r.shift),
                                  .low = exp(r.low),
                                  .high = exp(r.high),
                                  .sd = (r.high - r.low) / 2 / half * sqrt(blocks)};
}

struct study_ab_view study_ab_judge(const struct study_ab_rule *rule, const double *a, const double *b, int blocks) {
    const double spent = study_ab_spent(rule, blocks);
    struct study_ab_view view = judge_by_ranks(a, b, blocks, spent);
    if (!isfinite(view.sd)) view = judge_by_mean(a, b, blocks, spent); /* too few blocks */
    view.confidence = 1 - spent;
    view.verdict = study_verdict_of(view.low, view.high, rule->delta);
    /* the last look's quantile, and the mean of equal commands within 1.645 standard errors of zero */
    const double last = base_stats_student(1 - study_ab_spent(rule, rule->most) / 2, rule->most - 1);
    view.needed = (int)fmin(1e9, ceil(pow((last + 1.645) * view.sd / log1p(rule->delta), 2)));
    return view;
}

const char *study_ab_metric_text(const struct study_ab *ab) {
    return ab->metric == STUDY_AB_KEY ? ab->key : ab->metric == STUDY_AB_PRINTED ? "last number printed" : "wall time";
}
