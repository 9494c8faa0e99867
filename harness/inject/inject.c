/* SPDX-License-Identifier: Apache-2.0
 *
 * What this process suffers, and how. */
#include "inject/inject.h"

#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "inject/fault.h"

enum { MANTISSA = 22 }; /* the highest bit of a float's fraction: the value changes by a quarter to a half */

/* Of this process. */
static struct {
    const char *text;
    int rank, node, count;
    struct inject_fault fault[INJECT_MOST];
} mine;

static bool is_here(const struct inject_fault *f, int rank, int node) {
    return f->rank >= 0 ? f->rank == rank : f->node == node;
}

int inject_open(const char *text, int rank, int node, int ranks, int nodes, struct base_error *e) {
    struct inject_fault all[INJECT_MOST];
    int count = 0;
    mine.text = NULL, mine.count = 0;
    if (!text || !*text) return BASE_OK;
    const int code = inject_read(text, ranks, nodes, all, &count, e);
    if (code) return code;
    mine.text = text, mine.rank = rank, mine.node = node;
    for (int i = 0; i < count; i++) /* a link has two ends */
        if (is_here(&all[i], rank, node) || all[i].kind == INJECT_LINK) mine.fault[mine.count++] = all[i];
    return BASE_OK;
}

const char *inject_text(void) {
    return mine.text;
}

double inject_factor(enum inject_kind kind) {
    double factor = 1;
    for (int i = 0; i < mine.count; i++)
        if (mine.fault[i].kind == kind) factor *= mine.fault[i].factor;
    return factor;
}

/* Whether a and b are the link's ends, in this order. */
static bool joins(const struct inject_fault *f, int rank_a, int node_a, int rank_b, int node_b) {
    const int peer = f->rank >= 0 ? rank_b : node_b;
    return is_here(f, rank_a, node_a) && (f->peer < 0 || f->peer == peer);
}

double inject_link_factor(int peer_rank, int peer_node) {
    double factor = 1;
    for (int i = 0; i < mine.count; i++) {
        const struct inject_fault *f = &mine.fault[i];
        if (f->kind != INJECT_LINK) continue;
        if (joins(f, mine.rank, mine.node, peer_rank, peer_node) ||
            joins(f, peer_rank, peer_node, mine.rank, mine.node))
            factor *= f->factor;
    }
    return factor;
}

void inject_stretch(double factor, double began, void (*poll)(void *context), void *context) {
    if (factor <= 1) return;
    const double until = began + factor * (base_clock_now() - began);
    while (base_clock_now() < until)
        if (poll) poll(context);
}

bool inject_flip(int64_t step, float *data, int64_t count) {
    bool did = false;
    for (int i = 0; i < mine.count; i++) {
        struct inject_fault *f = &mine.fault[i];
        if (f->kind != INJECT_BITFLIP || step < f->step || (f->times && f->done == f->times) || !count) continue;
        uint32_t bits;
        memcpy(&bits, &data[count / 2], sizeof bits);
        bits ^= UINT32_C(1) << MANTISSA;
        memcpy(&data[count / 2], &bits, sizeof bits);
        f->done++;
        did = true;
    }
    return did;
}

void inject_hang(const char *phase, int64_t step) {
    for (int i = 0; i < mine.count; i++) {
        struct inject_fault *f = &mine.fault[i];
        if (f->kind != INJECT_HANG || f->done || (f->step >= 0 && f->step != step)) continue;
        if (f->phase[0] && strncmp(phase, f->phase, strlen(f->phase)) != 0) continue;
        f->done++;
        if (f->signal) raise(f->signal);
        for (const double began = base_clock_now(); base_clock_now() - began < f->seconds;)
            nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    }
}
