/* SPDX-License-Identifier: Apache-2.0
 *
 * All nodes do the same at the same time, round after round: a training step of their own, the roofs, and messages in
 * pairs. Whoever is slower than its peers, or computes other bits, is named.
 *
 * The room fleet/ promises rounds whose number does not grow with that of nodes (rotation.h), the work of one rank
 * (local.h), checksums compared among ranks that must compute the same bits (bits.h), a verdict with its cause for each
 * node (judge.h), what earlier runs said of it (history.h), and the record (record.h). It needs parallel/, measure/,
 * inventory/, detect/ and comm/. It knows no flags and no pages. */
#ifndef TOISE_FLEET_FLEET_H
#define TOISE_FLEET_FLEET_H

#include "comm/comm.h"
#include "fleet/local.h"

/* What gets a verdict. */
enum fleet_of { FLEET_NODES, FLEET_RANKS };

/* Who a rank is. */
struct fleet_rank {
    char host[64];
    char kind[FLEET_KIND]; /* ranks of one kind compute the same bits, and should be as fast */
    int node, unit;        /* unit: its node, or the rank itself */
    int threads;
};

/* What is told of each round by every rank to all. */
struct fleet_sample {
    double seconds[FLEET_QUANTITIES]; /* NAN: not measured, as there was no partner */
    double others;                    /* share of its CPUs' time that others took during the step */
    uint64_t bits;                    /* hash of the bits that the step computed */
    int32_t partner;                  /* the unit that it met; -1: none */
    int32_t garbled;                  /* words of the partner's message that are not what it sent */
    int32_t stop;                     /* the signal that told it to stop; 0: none */
    int32_t unused;
};

struct fleet_options {
    enum fleet_of of;
    int rounds;
    int64_t message_bytes;                      /* a multiple of 8 */
    uint64_t seed;                              /* of the rotation */
    void (*on_round)(void *context, int round); /* before each; NULL: none */
    void *context;
};

/* What all ranks know after the run. */
struct fleet {
    struct fleet_options options;
    int ranks, units;
    int rounds;                  /* that were measured: fewer than asked after a signal */
    int stop;                    /* that signal; 0: none */
    struct fleet_rank *rank;     /* [ranks] */
    int *first, *next;           /* [units] its lowest rank; [ranks] the next one of its unit, -1: none */
    struct fleet_sample *sample; /* [options.rounds][ranks] */
    bool *repeats;               /* [ranks] who ran the steps a second time */
    uint64_t *again;             /* [ranks] their trajectory (bits.h) then */
};

static inline const struct fleet_sample *fleet_at(const struct fleet *f, int round, int rank) {
    return &f->sample[(int64_t)round * f->ranks + rank];
}

/* Says who the ranks are. `mine` has this rank's host, kind and threads; the rest is filled in. Collective, as all that
 * has a world. Close it also after an error. */
int fleet_open(struct fleet *f, const struct fleet_options *options, const struct fleet_rank *mine, struct comm *world,
               struct base_error *e);
void fleet_close(struct fleet *f);
/* Its parts, for made samples: the memory; and first and next, from the units in rank. */
int fleet_make(struct fleet *f, const struct fleet_options *options, int ranks, int units, struct base_error *e);
void fleet_link(struct fleet *f);
/* Runs the rounds, then the steps again of those whose bits nobody else can confirm. Each round waits for the slowest
 * rank. A round is one small exchange among all ranks, and one message to a partner, whatever their number. */
int fleet_run(struct fleet *f, struct fleet_local *local, struct comm *world, struct base_error *e);

/* "n7"; of a rank "rank 3 on n7". */
void fleet_name(const struct fleet *f, int unit, char *text, size_t size);
const char *fleet_host(const struct fleet *f, int unit);
/* Whether a rank runs on this host, whose name either side may have without its domain. */
bool fleet_has_host(const struct fleet *f, const char *host);

#endif
