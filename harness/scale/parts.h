/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of this room share. A record with a place on the curve is a run; runs of one n are a point. */
#ifndef TOISE_SCALE_PARTS_H
#define TOISE_SCALE_PARTS_H

#include "scale/scale.h"
#include "study/launches.h"
#include "study/ratio.h"

#define SCALE_CONFIDENCE 0.95 /* of all intervals */
#define SCALE_ASSUMED_SD 0.06 /* of log(rate) between runs if no point has two; as in projection/measured.c */
enum { SCALE_WHY = 320 };

struct scale_value {
    double value, low, high; /* NAN: unknown */
};

struct scale_run {
    const struct record_loaded *from;
    const json_t *record;
    int n, repeat; /* repeat 0: a separate job */
    double batch;  /* sequences of a step over all ranks */
    double rate;   /* tokens/s; NAN: none */
    int ranks, nodes;
    enum study_launch_status status;
    char why[SCALE_WHY];
};

struct scale_point {
    int n, ranks, nodes;
    double batch;
    struct scale_run *runs; /* [count], by repeat */
    int count;
    enum study_launch_status status; /* the worst of its runs */
    const char *why;                 /* of that run */
    /* NAN without a rate: a run FAILED */
    struct scale_value rate, speedup, efficiency;
    bool paired;    /* runs of the base's repeats */
    const char *of; /* what was replicated: "repeat", "launch"; "step": one run, whose own interval it is */
    double step_s;  /* tokens of a step over the rate */
    double compute_s, exposed_s, wait_s; /* means over runs: slowest rank; step; all ranks. NAN: unknown */
};

struct scale_curve {
    const struct scale_options *options;
    enum record_scaling_mode mode;
    enum record_scaling_unit unit;
    struct scale_run *runs; /* [run_count], by n, then repeat */
    int run_count;
    struct scale_point *points; /* [count], by n */
    int count, base;            /* index of the base; -1: no point has a rate */
    double seq;                 /* tokens of a sequence */
    double run_sd, run_df;      /* of log(rate) between runs of a point, pooled; NAN and 0: every point has one run */
    const struct record_loaded *records;
    size_t record_count;
    long left_out, met_again; /* records of other kinds; runs that stood twice */
};

/* The sweep that a run is of. */
static inline const char *scale_launch(const struct scale_run *run) {
    return record_text(run->record, "launch.id");
}

/* "FILE line N", or "the run of n = 4, repeat 2" of a record that is in no file. */
void scale_place(const struct scale_run *run, char *text, size_t size);

/* Finds runs, mode and unit, and refuses what contradicts them. Allocates runs. */
int scale_runs_read(struct scale_curve *c, struct base_error *e);
/* Strong: losses and gradient norms of all runs against those of the first, by the gate's bound. A run that differs
 * FAILED. */
void scale_runs_check(struct scale_curve *c);
/* Makes the points of the runs. Allocates points. */
int scale_points_make(struct scale_curve *c, struct base_error *e);
const struct scale_point *scale_point_of(const struct scale_curve *c, int n); /* NULL: not measured */
/* Whether the point has a rate. */
static inline bool scale_point_rated(const struct scale_point *p) {
    return p->rate.value > 0;
}

/* Sequences of a step, and tokens, at n units. n need not be whole. */
double scale_batch(const struct scale_curve *c, double n);
double scale_tokens(const struct scale_curve *c, double n);
/* Ranks of a unit: 1, or those of a node. Nodes of n units, placed as the points are. */
double scale_unit_ranks(const struct scale_curve *c);
double scale_nodes(const struct scale_curve *c, double n);

/* What a reader of the curve must know: array of {n, flag, why}. */
json_t *scale_flags(const struct scale_curve *c);
int scale_record(const struct scale_curve *c, json_t **record, struct base_error *e);
json_t *scale_value_json(const struct scale_value *v);

#endif
