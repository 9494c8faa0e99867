/* SPDX-License-Identifier: Apache-2.0
 *
 * A model of a curve: the rate at n units as a function of parameters, which are known as a value and as draws. All
 * that is said of a model follows from these: intervals, extrapolations, and where efficiency halves.
 *
 * - amdahl: rate(n) = rate(1) n / (1 + s (n - 1)); s is the serial share. Only of strong scaling: it is about a fixed
 *   amount of work (Amdahl, AFIPS 1967).
 * - usl: rate(n) = rate(1) n / (1 + s (n - 1) + k n (n - 1)); s is contention, k coherence, which makes the rate fall
 *   again beyond sqrt((1 - s) / k) (Gunther, Guerrilla Capacity Planning, 2007).
 * - ledger: the step's own parts, in ledger.h. */
#ifndef TOISE_SCALE_MODEL_H
#define TOISE_SCALE_MODEL_H

#include "scale/parts.h"

enum { SCALE_TERMS = 9, SCALE_DRAWS = 1000 };

struct scale_model {
    const char *name;
    char refused[SCALE_WHY]; /* why there is none; "": there is */
    int terms;
    double value[SCALE_TERMS];
    double (*draw)[SCALE_TERMS]; /* [SCALE_DRAWS], owned */
    float *noise;                /* [SCALE_DRAWS], owned: normal numbers of one further run */
    /* tokens/s; NAN: the model cannot say, for the reason `why` in its table */
    double (*rate)(const struct scale_model *m, const double *a, double n);
    const struct scale_parameter {
        const char *name; /* with its unit, as everywhere */
        double (*of)(const double *a);
    } * parameters; /* ends with a NULL name */
    const struct scale_curve *curve;
    const struct scale_ledger *ledger; /* what the ledger's model needs */
    double misfit;                     /* root mean square relative error at the points; NAN: no point to compare */
    double lack_p;                     /* as in least.h */
    double run_sd;                     /* of log(rate) of one further run; the ledger's at least its misfit */
    bool run_sd_assumed;               /* no point has two runs */
};

enum scale_law { SCALE_AMDAHL, SCALE_USL, SCALE_LEDGER, SCALE_LAWS };

/* Fits the laws to the points that have a rate. BASE_BROKEN: out of memory. */
int scale_laws_fit(const struct scale_curve *c, struct scale_model laws[2], struct base_error *e);
/* Room for the draws. BASE_BROKEN: out of memory. */
int scale_model_open(struct scale_model *m, struct base_error *e);
void scale_model_close(struct scale_model *m);

/* The rate of one further run at n, and its efficiency, with intervals. Drawn rates include the run's own noise. */
struct scale_value scale_model_rate(const struct scale_model *m, double n);
struct scale_value scale_model_efficiency(const struct scale_model *m, double n);
/* A parameter with its interval. */
struct scale_value scale_model_parameter(const struct scale_model *m, const struct scale_parameter *p);
/* The n at which the efficiency falls under one half. INFINITY: never. */
struct scale_value scale_model_half(const struct scale_model *m);

/* The model as JSON: parameters, misfit, where efficiency halves, a line to draw, and extrapolations. */
json_t *scale_model_json(const struct scale_model *m);

#endif
