/* SPDX-License-Identifier: Apache-2.0
 *
 * A verdict for each node (or rank): good, slow and by which roof, or wrong. A node is as slow as its slowest rank. It
 * is compared with nodes of its kind in the same round, by detect/detect.h, which corrects for the number of nodes and
 * quantities.
 *
 * If the step is slow, its cause is the first that holds: "neighbour", other processes or the hypervisor took CPU time
 * that explains half of it; the roof that is slow too, "core clock" or "memory"; "unexplained". If only a roof or the
 * link is slow, that is the cause. A garbled message accuses the unit that most garbled messages have in common; of a
 * single one, both. */
#ifndef TOISE_FLEET_JUDGE_H
#define TOISE_FLEET_JUDGE_H

#include "detect/detect.h"
#include "fleet/fleet.h"

enum fleet_state { FLEET_GOOD, FLEET_SLOW, FLEET_WRONG, FLEET_UNREACHABLE };
const char *fleet_state_name(enum fleet_state state); /* "good", "slow", "wrong", "unreachable" */

struct fleet_verdict {
    enum fleet_state state;
    const char *cause;            /* of a slow one; else "" */
    enum fleet_quantity quantity; /* that shows it; of others the step */
    struct detect_judgement of[FLEET_QUANTITIES];
    double typical[FLEET_QUANTITIES]; /* median of its samples; NAN: none */
    double others;                    /* share of its CPUs' time that others took during its steps */
    int rank;                         /* the one that is mostly the slowest in `quantity`, or the lowest wrong one */
    bool unchecked;                   /* nobody else confirms its bits */
    char why[256];                    /* "" if good */
};

struct fleet_judgement {
    struct fleet_verdict *unit; /* [units] */
    struct detect_fleet of[FLEET_QUANTITIES];
    int unjudged, unchecked; /* units; unjudged: by their steps */
};

/* Judges what all ranks know; any rank can. Close it also after an error. */
int fleet_judge(const struct fleet *f, struct fleet_judgement *judgement, struct base_error *e);
void fleet_judgement_close(struct fleet_judgement *judgement);

#endif
