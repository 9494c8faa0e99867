/* SPDX-License-Identifier: Apache-2.0
 *
 * Which rank of this node is at fault, judged from its board. Durations are counted by the observer, so nodes need no
 * common clock. */
#ifndef TOISE_GUARD_JUDGE_H
#define TOISE_GUARD_JUDGE_H

#include "guard/board.h"

/* A look every so many seconds. A longer gap means that the observer itself did not run: it counts as GUARD_GAP_S. */
#define GUARD_TICK_S 0.1
#define GUARD_GAP_S 0.5

/* What the observer remembers of a slot. */
struct guard_seen {
    uint64_t beats, progress;
    double quiet_s; /* since its last beat */
    double still_s; /* since its last progress */
};

struct guard_judge {
    double timeout_s;
    int self;                /* the observer's slot */
    const char *host;        /* of this node */
    struct guard_seen *seen; /* [slots] */
};

int guard_judge_open(struct guard_judge *judge, const struct guard_board *board, const struct guard_place *place,
                     double timeout_s, struct base_error *e);
void guard_judge_close(struct guard_judge *judge);
/* Looks at all slots, `elapsed_s` after the last look. True: a rank is at fault, as *verdict says. A rank that ended
 * comes before one that is stopped, and that before one that is stuck; among equals the one of longest standing. */
bool guard_judge_look(struct guard_judge *judge, const struct guard_board *board, double elapsed_s,
                      struct guard_verdict *verdict);
/* Seconds since any rank of this node last made progress. */
double guard_judge_still(const struct guard_judge *judge, const struct guard_board *board);

/* The state of a process as in /proc/PID/stat: 'R', 'S', 'T' ...; 0: it has ended, also if nobody asked for its exit
 * code yet. '?': it exists, and its state is unknown. */
int guard_process_state(int pid);

#endif
