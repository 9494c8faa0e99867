/* SPDX-License-Identifier: Apache-2.0
 *
 * Judges a source after sampling: joules of each window, coverage, and why the figure cannot be used. */
#ifndef TOISE_ENERGY_JUDGE_H
#define TOISE_ENERGY_JUDGE_H

#include "base/stats.h"
#include "energy/source.h"

#define ENERGY_COVERAGE 0.95 /* of the timed time; below it a source is a fault */
#define ENERGY_APART 0.05    /* two sources that differ by so much are shown side by side */

/* One source's figures on one node. Plain bytes, as nodes exchange it. */
struct energy_figures {
    enum energy_state state;
    char why[256], scope[16], counted[192]; /* counted: names of the channels, "package-0, dram" */
    double coverage;                        /* share of the timed time with known energy; the least of the channels */
    double interval_s;                      /* mean time between two readings with news; the longest of the channels */
    double seconds;                         /* of the timed windows */
    double cpu_s;                           /* that reading took */
    long long readings, failed, wraps, resets, unclear;
    bool constant; /* each power reading was the same */
};

/* Sets joules[windows->count], NAN where not wholly covered, and the figures. */
void energy_judge(struct energy_source *source, const struct energy_windows *windows, double *joules,
                  struct energy_figures *figures);

/* Joules a window, mean of those that are known: NAN if none is. 95% interval from ten batch means, widened at both
 * ends by the energy of one reading's interval, since readings do not fall on the windows' ends. NAN with one window.
 */
struct base_mean energy_mean(const double *joules, int count, const struct energy_figures *figures);

#endif
