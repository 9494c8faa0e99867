/* SPDX-License-Identifier: Apache-2.0
 *
 * A thread that ends this rank when the run can no longer end by itself: a rank was killed, is stopped or hangs, a node
 * is gone, a link is lost. It says which rank, on which host, in which phase and for how many seconds. Then it ends the
 * process with BASE_BROKEN, and kills ranks of this node that are stopped.
 *
 * Every rank publishes what it does in its node's shared memory (board.h), and every rank watches its node. One rank of
 * each node exchanges heartbeats with other nodes by UDP (peers.h). The thread never calls MPI. It wakes ten times a
 * second, and a rank's own calls below cost some nanoseconds. Time in which the thread itself does not run counts for
 * nobody, so a job that is suspended and resumed goes on.
 *
 * There is one watchdog in a process. cli/guard.h opens it over the ranks of a comm. */
#ifndef TOISE_GUARD_WATCHDOG_H
#define TOISE_GUARD_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "guard/board.h"

/* What this rank does, for the watchdogs. For the main thread only. Each does nothing while no watchdog is open, so
 * callers need not know. Each counts as progress. Outside of steps the main thread's CPU time counts as progress too,
 * since not all work there can call guard_progress. */
void guard_phase(const char *name); /* what runs now, as in "gate"; 63 characters are kept */
void guard_step(int64_t step);      /* the step that begins; negative: none */
void guard_progress(void);          /* in a step: at least once in a timeout */
/* For a thread beside the main one: what it calls progress is from now on added to *count, and is none of the main
 * thread's, which may hang. It does when it waits for that thread and *count grew. */
void guard_progress_apart(_Atomic uint64_t *count);
/* From now on it waits for other ranks, so it is not the one that hangs; or no more. */
void guard_waiting(bool waiting);

/* `last` is called once by the watchdog's thread before it ends the process, with the verdict and its words. It may
 * take two seconds; then another rank of the node kills it. It prints by guard_watchdog_say alone. NULL: nothing is
 * called. What `last` reads must outlive the next call, which waits for it. */
typedef void guard_last(void *context, const struct guard_verdict *verdict, const char *why);
void guard_watchdog_last(guard_last *last, void *context);
/* Writes to standard error, at most PIPE_BUF bytes; drops them if it has no room within a second. Takes no lock: the
 * main thread may hold that of stderr. */
void guard_watchdog_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Opening, in this order, by the ranks together. "Leader": local rank 0 of each node.
 *
 * 1. Each leader describes its host, and opens its socket. BASE_BROKEN: no socket. */
int guard_watchdog_host(const struct guard_place *place, struct guard_host *host, struct base_error *e);
/* 2. Leaders gather hosts[nodes] and make their node's board. `token`: the same on all nodes, random for each run. */
int guard_watchdog_make(const struct guard_place *place, const struct guard_host *hosts, uint64_t token,
                        struct guard_key *key, struct base_error *e);
/* 3. All ranks join the board of their node with their leader's key. BASE_NO: this rank cannot map it, e.g. since it is
 * in another container. Leaders may not go on before all have joined. */
int guard_watchdog_join(const struct guard_place *place, const struct guard_key *key, struct base_error *e);
/* 4. The thread starts; the caller is the main thread. timeout_s: how long a rank may be without progress. */
int guard_watchdog_start(double timeout_s, struct base_error *e);
/* Says that this rank leaves, and ends the thread. Call it after a barrier. It also undoes steps 1 to 3 alone. */
void guard_watchdog_close(void);

#endif
