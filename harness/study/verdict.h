/* SPDX-License-Identifier: Apache-2.0
 *
 * What an interval of a ratio of rates says: new over base. */
#ifndef TOISE_STUDY_VERDICT_H
#define TOISE_STUDY_VERDICT_H

enum study_verdict { STUDY_FASTER, STUDY_SLOWER, STUDY_EQUIVALENT, STUDY_INCONCLUSIVE, STUDY_VERDICTS };

/* Equivalent: the whole interval lies within [1 / (1 + delta), 1 + delta], also if it excludes 1. Otherwise faster or
 * slower: it lies on one side of 1. Otherwise, or if a bound is not a number, inconclusive. */
enum study_verdict study_verdict_of(double low, double high, double delta);
/* "faster", ... */
const char *study_verdict_name(enum study_verdict verdict);
/* BASE_OK: faster or equivalent; BASE_NO: slower; BASE_INCONCLUSIVE. */
int study_verdict_code(enum study_verdict verdict);

#endif
