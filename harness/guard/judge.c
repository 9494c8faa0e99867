/* SPDX-License-Identifier: Apache-2.0
 *
 * Compares each slot with what it was at the last look. A process is looked up only when it gave no beat for a while,
 * so a look usually makes no system call. */
#include "guard/judge.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "base/file.h"

#define MISSED_S (3 * GUARD_TICK_S) /* without a beat: look whether the process exists */

int guard_process_state(int pid) {
    char path[64], line[512];
    if (kill((pid_t)pid, 0) && errno == ESRCH) return 0;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    if (!base_file_line(path, line, sizeof line)) return '?';
    const char *end = strrchr(line, ')'); /* the name before it may hold anything */
    const char state = end && end[1] == ' ' ? end[2] : '?';
    return state == 'Z' || state == 'X' ? 0 : state;
}

int guard_judge_open(struct guard_judge *j, const struct guard_board *board, const struct guard_place *place,
                     double timeout_s, struct base_error *e) {
    *j =
        (struct guard_judge){.timeout_s = timeout_s, .self = place->local_rank, .host = board->hosts[place->node].name};
    j->seen = calloc((size_t)board->slots, sizeof *j->seen);
    return j->seen ? BASE_OK : base_fail(e, BASE_BROKEN, "out of memory for %d ranks of a node", board->slots);
}

void guard_judge_close(struct guard_judge *j) {
    free(j->seen);
    *j = (struct guard_judge){0};
}

/* Adds the time, or starts anew where the counter moved. */
static void follow(uint64_t *last, uint64_t now, double elapsed_s, double *since_s) {
    *since_s = now == *last ? *since_s + elapsed_s : 0;
    *last = now;
}

static enum guard_fault fault_of(const struct guard_judge *j, const struct guard_slot *slot,
                                 const struct guard_seen *seen, bool self, int *state) {
    const int pid = atomic_load(&slot->pid);
    *state = 'R';
    if (!self && seen->quiet_s >= MISSED_S) {
        *state = guard_process_state(pid);
        if (!*state) return GUARD_DEAD;
        if (seen->quiet_s > j->timeout_s) return GUARD_STOPPED;
    }
    return seen->still_s > j->timeout_s && !atomic_load(&slot->waiting) ? GUARD_STUCK : GUARD_FINE;
}

static bool worse(enum guard_fault fault, double seconds, const struct guard_verdict *than) {
    if (than->fault == GUARD_FINE || fault < than->fault) return true;
    return fault == than->fault && seconds > than->seconds;
}

bool guard_judge_look(struct guard_judge *j, const struct guard_board *board, double elapsed_s,
                      struct guard_verdict *v) {
    const double counted = elapsed_s < GUARD_GAP_S ? elapsed_s : GUARD_GAP_S;
    *v = (struct guard_verdict){.fault = GUARD_FINE, .step = -1};
    for (int i = 0; i < board->slots; i++) {
        const struct guard_slot *slot = &board->slot[i];
        struct guard_seen *seen = &j->seen[i];
        int state;
        follow(&seen->beats, atomic_load_explicit(&slot->beats, memory_order_relaxed), counted, &seen->quiet_s);
        follow(&seen->progress, atomic_load_explicit(&slot->progress, memory_order_relaxed), counted, &seen->still_s);
        if (atomic_load(&slot->life) != GUARD_RUNS) continue;
        const enum guard_fault fault = fault_of(j, slot, seen, i == j->self, &state);
        const double seconds = fault == GUARD_STUCK ? seen->still_s : seen->quiet_s;
        if (fault == GUARD_FINE || !worse(fault, seconds, v)) continue;
        *v = (struct guard_verdict){.fault = fault,
                                    .rank = atomic_load(&slot->rank),
                                    .pid = atomic_load(&slot->pid),
                                    .state = state,
                                    .seconds = seconds,
                                    .step = atomic_load(&slot->step)};
        guard_slot_phase(slot, v->phase);
        snprintf(v->host, sizeof v->host, "%s", j->host);
    }
    return v->fault != GUARD_FINE;
}

double guard_judge_still(const struct guard_judge *j, const struct guard_board *board) {
    double least = j->seen[0].still_s;
    for (int i = 1; i < board->slots; i++) least = j->seen[i].still_s < least ? j->seen[i].still_s : least;
    return least;
}
