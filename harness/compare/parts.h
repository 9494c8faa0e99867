/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files *.c of this room share. A record with a rate is an item. Items of one side, work and setup are a
 * group. A group of a later side and one of the first side are a pair. */
#ifndef TOISE_COMPARE_PARTS_H
#define TOISE_COMPARE_PARTS_H

#include "compare/causes.h"
#include "compare/compare.h"
#include "records/load.h"
#include "study/rate.h"
#include "study/ratio.h"

/* `kind`: of study_rates. NAN, or not above 0: the record has no rate. */
double compare_rate(int kind, const json_t *record);
void compare_unit_text(int kind, const json_t *record, char *text, size_t size);

/* How finely two groups agree, the finest first. They are paired at the finest key that only one of each side has. */
enum compare_key { COMPARE_SETUP, COMPARE_SHAPE, COMPARE_VARIANT, COMPARE_WORK, COMPARE_KEYS };

struct compare_item {
    const json_t *record;
    const struct record_loaded *from;
    int kind, side;
    char *key[COMPARE_KEYS];   /* owned JSON texts; each names all that its level and those below tell apart */
    struct study_launch value; /* node -1: unknown */
};

struct compare_group {
    int side;
    size_t first, count; /* of items */
    bool paired;
};

enum { COMPARE_WHY = 256 };

/* Why there is no verdict on the hardware. */
enum compare_withheld { COMPARE_FAIR, COMPARE_FEW, COMPARE_LOWER_BOUND, COMPARE_BUILDS };

struct compare_pair {
    const struct compare_group *base, *new;
    struct study_ratio ratio;
    double p, p_outside; /* adjusted by Holm; NAN: too few launches */
    enum compare_withheld withheld;
    enum study_verdict verdict;
    struct compare_change changes[COMPARE_FIGURES];
    json_t *causes; /* owned; NULL: nothing to explain */
};

/* A later side against the first. */
struct compare_side {
    struct study_ratio ratio; /* geometric mean of its pairs with enough launches; pairs 0: unknown */
    int pairs, few;           /* with and without enough launches */
    int count[STUDY_VERDICTS];
    enum compare_withheld withheld;
    enum study_verdict verdict;
};

struct compare {
    const struct compare_options *options;
    const char *const *paths;
    int sides;
    struct record_list list;
    struct compare_item *items; /* sorted by work, side, setup */
    size_t count;
    /* of the items, in their order */
    struct study_launch *values;
    const json_t **records;
    struct compare_group *groups;
    size_t group_count;
    struct compare_pair *pairs; /* by side */
    size_t pair_count;
    struct compare_side side[COMPARE_SIDES_MOST]; /* [0] is unused */
    json_t *found[COMPARE_SIDES_MOST];            /* what the record says of each side */
    json_t *unpaired;
};

/* The texts of what tells records apart. False: out of memory. */
bool compare_keys_of(int kind, const json_t *record, char *key[COMPARE_KEYS]);
/* "node-s fp32", "gemm NT 1024 x 768 x 768 f32 avx512": the work of a record in words. */
void compare_work_text(int kind, const json_t *record, char *text, size_t size);

/* Reads the sides into items, counts each launch once, and refuses what is on two sides. */
int compare_load(struct compare *c, struct base_error *e);
/* Makes groups and pairs, and lists what has no partner. BASE_USAGE: nothing pairs. */
int compare_match(struct compare *c, struct base_error *e);
/* Computes the ratios of pairs and sides, p values, verdicts and causes. */
int compare_judge(struct compare *c, struct base_error *e);
/* The error of each side's interval: all are right together (Bonferroni). */
double compare_side_alpha(const struct compare *c);
/* The verdict of all sides: slower if one is, else inconclusive if one is, else equivalent if one is. */
enum study_verdict compare_verdict(const struct compare *c);
json_t *compare_record(const struct compare *c);

/* The leaves in which two values differ, as a list of {key, base, new}; at most `most`. An absent one is null. */
json_t *compare_differences(const json_t *base, const json_t *new, int most);

#endif
