/* SPDX-License-Identifier: Apache-2.0
 *
 * Heartbeats between nodes, by UDP beside MPI. Node i sends to nodes i + 1, i + 2, i + 4 ... modulo their number, one
 * of them at each tick. So a node sends and receives a datagram a tick however many nodes there are, watches
 * log2(nodes) others, and what one knows reaches all in about twice as many ticks. (The pattern is that of a
 * dissemination barrier: Hensgen, Finkel and Manber, "Two Algorithms for Barrier Synchronization", 1988.)
 *
 * A host has several addresses, and not every one leads to it from everywhere. A sender tries all until the receiver
 * answers one, and then keeps to it. Datagrams carry the run's token and their receiver, so others' are dropped. */
#ifndef TOISE_GUARD_PEERS_H
#define TOISE_GUARD_PEERS_H

#include "guard/board.h"

enum { GUARD_LINKS = 31 };

struct guard_link {
    int to, from;    /* nodes: whom this node tells, and whom it hears */
    int address;     /* of `to`'s, which it answered; -1: none yet */
    bool heard;      /* `from` at least once */
    bool left;       /* `from` said that it leaves */
    double silent_s; /* since `from` was heard */
    int64_t step;    /* what `from` said last */
    char phase[GUARD_NAME];
};

struct guard_peers {
    int socket; /* -1: none */
    int node, nodes;
    const struct guard_host *hosts;
    uint64_t token;
    int links, turn;
    struct guard_link link[GUARD_LINKS];
    double fresh_s; /* since any rank of the run made progress, as far as this node knows */
};

/* What this node's leader tells others. */
struct guard_news {
    double still_s; /* since a rank of this node made progress */
    int64_t step;
    const char *phase;
};

/* Describes this host, and opens a socket if the run has several nodes (else -1). BASE_BROKEN: no socket. */
int guard_peers_host(struct guard_host *host, int nodes, int *socket, struct base_error *e);
/* Takes the socket. `hosts` must outlive *peers. */
void guard_peers_open(struct guard_peers *peers, int socket, int node, int nodes, const struct guard_host *hosts,
                      uint64_t token);
void guard_peers_close(struct guard_peers *peers);

/* Takes all that arrived, without waiting. True: another node's verdict was among it. */
bool guard_peers_hear(struct guard_peers *peers, struct guard_verdict *verdict);
/* At each tick: time passes, and the next node is told. */
void guard_peers_tell(struct guard_peers *peers, double elapsed_s, const struct guard_news *news);
/* Sends a verdict to all links; each node passes the first one on. With NULL: that this node leaves. */
void guard_peers_end(struct guard_peers *peers, const struct guard_verdict *verdict);
/* Whether a node is silent, all are, or no rank of the run makes progress. A link that was never heard is not judged.
 */
bool guard_peers_judge(const struct guard_peers *peers, double timeout_s, struct guard_verdict *verdict);

#endif
