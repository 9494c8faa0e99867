/* SPDX-License-Identifier: Apache-2.0
 *
 * The board: memory that the ranks of a node share, with a slot for each rank, and the node's verdict. It has no name
 * in any file system (memfd_create), so it is gone with its last process, however that ends. Other ranks open it by
 * its leader's /proc/PID/fd. Single fields are atomic; nothing is locked, since any process may be stopped. */
#ifndef TOISE_GUARD_BOARD_H
#define TOISE_GUARD_BOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { GUARD_NAME = 64, GUARD_ADDRESSES = 8 };

/* Where a rank is. Nodes are numbered by their lowest rank, so rank 0 is local rank 0 of node 0. */
struct guard_place {
    int rank, node, nodes, local_rank, local_size;
};

/* A node as the others see it. Addresses are IPv4, in network order; the last one is the loopback. */
struct guard_host {
    char name[GUARD_NAME];
    int first_rank, ranks; /* its lowest rank, and how many it has */
    int addresses;
    uint32_t address[GUARD_ADDRESSES];
    uint16_t port; /* network order */
};

enum guard_fault {
    GUARD_FINE,
    GUARD_DEAD,    /* the process ended, and the others did not */
    GUARD_STOPPED, /* the process exists, but none of its threads runs */
    GUARD_STUCK,   /* it runs, waits for no rank and makes no progress */
    GUARD_SILENT,  /* another node sends nothing any more */
    GUARD_CUT_OFF, /* no other node sends anything any more */
    GUARD_STALLED, /* every rank waits for another */
};

struct guard_verdict {
    enum guard_fault fault;
    int rank, pid;  /* the rank; of a node its lowest one. pid 0: unknown */
    int ranks;      /* of a node: how many it has */
    int state;      /* the process's in /proc/PID/stat: 'T' stopped, 'D' in the kernel; 0: unknown */
    double seconds; /* since its last sign */
    int64_t step;   /* negative: none */
    char phase[GUARD_NAME], host[GUARD_NAME];
};

/* One line: "rank 1 (host b, process 4711) has been stopped for 5.1 s in timed steps, step 12". */
void guard_verdict_text(const struct guard_verdict *v, char *text, size_t size);

enum guard_life { GUARD_ABSENT, GUARD_RUNS, GUARD_LEFT, GUARD_ENDING };

/* Written by its rank alone. Whole cache lines, as neighbours poll it. */
struct guard_slot {
    _Alignas(128) _Atomic uint64_t progress; /* of the main thread */
    _Atomic int64_t step;
    _Atomic int waiting;
    _Atomic uint64_t phase[GUARD_NAME / 8]; /* text; a reader may see half of a change, which does no harm */
    _Alignas(64) _Atomic uint64_t beats;    /* of the watchdog's thread */
    _Atomic int rank, pid, life;
};

struct guard_shared; /* the mapped memory */
struct guard_board {
    struct guard_shared *shared;
    size_t bytes;
    int file; /* -1: closed */
    int slots, nodes;
    struct guard_slot *slot;        /* [slots] by local rank */
    const struct guard_host *hosts; /* [nodes] */
    uint64_t token;
};

/* How other ranks of the node find it. */
struct guard_key {
    int pid, file;
    uint64_t mark; /* random: another process may have this pid in the rank's container */
};

int guard_board_make(struct guard_board *board, int slots, const struct guard_host *hosts, int nodes, uint64_t token,
                     struct guard_key *key, struct base_error *e);
/* BASE_NO: it cannot be opened from here. */
int guard_board_join(struct guard_board *board, const struct guard_key *key, struct base_error *e);
void guard_board_close(struct guard_board *board);

void guard_slot_set_phase(struct guard_slot *slot, const char *phase);
void guard_slot_phase(const struct guard_slot *slot, char phase[GUARD_NAME]);

/* The node's first verdict stands. True: this one was the first. */
bool guard_board_decide(struct guard_board *board, const struct guard_verdict *verdict);
/* False: there is none yet. */
bool guard_board_verdict(const struct guard_board *board, struct guard_verdict *verdict);

/* 64 random bits of the kernel. */
uint64_t guard_random(void);

#endif
