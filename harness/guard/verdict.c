/* SPDX-License-Identifier: Apache-2.0
 *
 * A verdict in words. */
#include <stdio.h>

#include "guard/board.h"

/* "rank 1 (host b, process 4711)"; of a node: "host b (rank 2 and 1 more)" */
static void who(const struct guard_verdict *v, char *text, size_t size) {
    char more[32] = "";
    if (v->ranks > 1) snprintf(more, sizeof more, " and %d more", v->ranks - 1);
    if (v->fault == GUARD_SILENT || v->fault == GUARD_CUT_OFF)
        snprintf(text, size, "host %s (rank %d%s)", v->host, v->rank, more);
    else
        snprintf(text, size, "rank %d (host %s, process %d)", v->rank, v->host, v->pid);
}

static const char *stopped(int state) {
    return state == 'T' || state == 't' ? "has been stopped" : state == 'D' ? "has hung in the kernel" : "has not run";
}

static void what(const struct guard_verdict *v, char *text, size_t size) {
    char name[192];
    who(v, name, sizeof name);
    switch (v->fault) {
    case GUARD_DEAD:
        snprintf(text, size, "%s ended before the others", name);
        break;
    case GUARD_STOPPED:
        snprintf(text, size, "%s %s for %.1f s", name, stopped(v->state), v->seconds);
        break;
    case GUARD_STUCK:
        snprintf(text, size, "%s has made no progress for %.1f s", name, v->seconds);
        break;
    case GUARD_SILENT:
        snprintf(text, size, "%s has been silent for %.1f s: it hangs, or it or its link is down", name, v->seconds);
        break;
    case GUARD_CUT_OFF:
        snprintf(text, size, "%s has heard no other host for %.1f s", name, v->seconds);
        break;
    case GUARD_STALLED:
        snprintf(text, size,
                 "every rank has waited for another for %.1f s, so MPI lost a message or a link; seen by %s",
                 v->seconds, name);
        break;
    case GUARD_FINE:
        snprintf(text, size, "no rank is at fault");
        break;
    }
}

void guard_verdict_text(const struct guard_verdict *v, char *text, size_t size) {
    char said[320], step[40] = "";
    what(v, said, sizeof said);
    if (v->step >= 0) snprintf(step, sizeof step, ", step %lld", (long long)v->step);
    snprintf(text, size, "%s; phase: %s%s", said, v->phase[0] ? v->phase : "start", step);
}
