/* SPDX-License-Identifier: Apache-2.0
 *
 * Heartbeats between nodes: one datagram a tick. All processes of a run are one program, so a datagram is a struct. */
#define _GNU_SOURCE
#include "guard/peers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <math.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guard/judge.h"

enum kind { BEAT, ANSWER, END, LEAVE };
enum { REPEATS = 3 }; /* of what is said once, as datagrams get lost */

struct packet {
    uint64_t token;
    int kind, from, to;
    int address; /* of the receiver's that this was sent to; an answer returns it */
    bool asks;   /* for an answer */
    double fresh_s;
    int64_t step;
    char phase[GUARD_NAME];
    struct guard_verdict verdict;
};

/* IPv4 addresses of interfaces that are up; the loopback last, for runs whose nodes are one machine. */
static void find_addresses(struct guard_host *host) {
    struct ifaddrs *all = NULL;
    host->addresses = 0;
    if (getifaddrs(&all)) all = NULL;
    for (const struct ifaddrs *i = all; i && host->addresses < GUARD_ADDRESSES - 1; i = i->ifa_next) {
        if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET || !(i->ifa_flags & IFF_UP)) continue;
        if (i->ifa_flags & IFF_LOOPBACK) continue;
        host->address[host->addresses++] = ((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr.s_addr;
    }
    if (all) freeifaddrs(all);
    host->address[host->addresses++] = htonl(INADDR_LOOPBACK);
}

static int open_socket(uint16_t *port) {
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t length = sizeof at;
    const int s = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const bool bound = s >= 0 && bind(s, (struct sockaddr *)&at, sizeof at) == 0 &&
                       getsockname(s, (struct sockaddr *)&at, &length) == 0;
    *port = at.sin_port;
    if (bound || s < 0) return s;
    const int why = errno;
    close(s);
    errno = why;
    return -1;
}

int guard_peers_host(struct guard_host *host, int nodes, int *socket, struct base_error *e) {
    memset(host, 0, sizeof *host);
    if (gethostname(host->name, sizeof host->name - 1)) snprintf(host->name, sizeof host->name, "?");
    find_addresses(host);
    *socket = nodes > 1 ? open_socket(&host->port) : -1;
    if (nodes == 1 || *socket >= 0) return BASE_OK;
    return base_fail(e, BASE_BROKEN,
                     "--timeout: host %s has no UDP socket for heartbeats: %s; --timeout 0 does without", host->name,
                     strerror(errno));
}

void guard_peers_open(struct guard_peers *p, int socket, int node, int nodes, const struct guard_host *hosts,
                      uint64_t token) {
    *p = (struct guard_peers){.socket = socket, .node = node, .nodes = nodes, .hosts = hosts, .token = token};
    for (int64_t step = 1; step < nodes; step *= 2)
        p->link[p->links++] = (struct guard_link){.to = (int)((node + step) % nodes),
                                                  .from = (int)((node + nodes - step) % nodes),
                                                  .address = -1,
                                                  .step = -1};
}

void guard_peers_close(struct guard_peers *p) {
    if (p->socket >= 0) close(p->socket);
    *p = (struct guard_peers){.socket = -1};
}

/* What cannot be sent is lost, like any datagram. */
static void send_by(const struct guard_peers *p, const struct packet *packet, int address) {
    const struct guard_host *host = &p->hosts[packet->to];
    struct packet addressed = *packet;
    addressed.address = address;
    const struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = host->port, .sin_addr.s_addr = host->address[address]};
    (void)!sendto(p->socket, &addressed, sizeof addressed, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&at,
                  sizeof at);
}

static void send_along(const struct guard_peers *p, const struct guard_link *link, struct packet packet) {
    packet.token = p->token, packet.from = p->node, packet.to = link->to;
    packet.asks = link->address < 0;
    if (!packet.asks) send_by(p, &packet, link->address);
    for (int i = 0; packet.asks && i < p->hosts[link->to].addresses; i++) send_by(p, &packet, i);
}

static void answer(const struct guard_peers *p, const struct packet *packet, const struct sockaddr_in *source) {
    const struct packet reply = {
        .token = p->token, .kind = ANSWER, .from = p->node, .to = packet->from, .address = packet->address};
    (void)!sendto(p->socket, &reply, sizeof reply, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)source,
                  sizeof *source);
}

static void take_beat(struct guard_peers *p, const struct packet *packet) {
    p->fresh_s = fmin(p->fresh_s, packet->fresh_s);
    for (int i = 0; i < p->links; i++) {
        struct guard_link *link = &p->link[i];
        if (link->from != packet->from) continue;
        link->heard = true, link->silent_s = 0, link->step = packet->step;
        memcpy(link->phase, packet->phase, sizeof link->phase);
        link->phase[sizeof link->phase - 1] = '\0';
    }
}

static void take(struct guard_peers *p, const struct packet *packet, const struct sockaddr_in *source, bool *ended,
                 struct guard_verdict *verdict) {
    switch ((enum kind)packet->kind) {
    case BEAT:
        take_beat(p, packet);
        if (packet->asks) answer(p, packet, source);
        break;
    case ANSWER:
        for (int i = 0; i < p->links; i++)
            if (p->link[i].to == packet->from && p->link[i].address < 0 &&
                packet->address < p->hosts[packet->from].addresses)
                p->link[i].address = packet->address;
        break;
    case END:
        *ended = true;
        *verdict = packet->verdict;
        break;
    case LEAVE:
        for (int i = 0; i < p->links; i++)
            if (p->link[i].from == packet->from) p->link[i].left = true;
        break;
    }
}

bool guard_peers_hear(struct guard_peers *p, struct guard_verdict *verdict) {
    struct packet packet;
    struct sockaddr_in source;
    socklen_t length = sizeof source;
    bool ended = false;
    for (ssize_t got; p->socket >= 0; length = sizeof source) {
        got = recvfrom(p->socket, &packet, sizeof packet, MSG_DONTWAIT, (struct sockaddr *)&source, &length);
        if (got < 0 && errno != ECONNREFUSED && errno != EINTR) break;
        const bool ours = got == (ssize_t)sizeof packet && packet.token == p->token && packet.to == p->node &&
                          packet.from >= 0 && packet.from < p->nodes && packet.address >= 0;
        if (ours) take(p, &packet, &source, &ended, verdict);
    }
    return ended;
}

void guard_peers_tell(struct guard_peers *p, double elapsed_s, const struct guard_news *news) {
    const double counted = fmin(elapsed_s, GUARD_GAP_S);
    p->fresh_s = fmin(p->fresh_s + counted, news->still_s);
    for (int i = 0; i < p->links; i++) p->link[i].silent_s += counted;
    if (!p->links) return;
    struct packet packet = {.kind = BEAT, .fresh_s = p->fresh_s, .step = news->step};
    snprintf(packet.phase, sizeof packet.phase, "%s", news->phase);
    send_along(p, &p->link[p->turn], packet);
    p->turn = (p->turn + 1) % p->links;
}

void guard_peers_end(struct guard_peers *p, const struct guard_verdict *verdict) {
    struct packet packet = {.kind = verdict ? END : LEAVE};
    if (verdict) packet.verdict = *verdict;
    for (int repeat = 0; repeat < REPEATS; repeat++)
        for (int i = 0; i < p->links; i++) send_along(p, &p->link[i], packet);
}

/* How long news of the run may take to get here, with some lost datagrams. */
static double delay_s(const struct guard_peers *p) {
    return 4 * GUARD_TICK_S * p->links;
}

static bool name(const struct guard_peers *p, enum guard_fault fault, int node, double seconds,
                 const struct guard_link *link, struct guard_verdict *v) {
    const struct guard_host *host = &p->hosts[node];
    *v = (struct guard_verdict){.fault = fault,
                                .rank = host->first_rank,
                                .ranks = host->ranks,
                                .seconds = seconds,
                                .step = link ? link->step : -1};
    memcpy(v->host, host->name, sizeof v->host);
    if (link) memcpy(v->phase, link->phase, sizeof v->phase);
    return true;
}

bool guard_peers_judge(const struct guard_peers *p, double timeout_s, struct guard_verdict *v) {
    const struct guard_link *worst = NULL;
    int heard = 0, silent = 0;
    for (int i = 0; i < p->links; i++) {
        const struct guard_link *link = &p->link[i];
        if (!link->heard || link->left) continue;
        heard++;
        silent += link->silent_s > timeout_s / 2;
        if (!worst || link->silent_s > worst->silent_s) worst = link;
    }
    /* A rank that stops its node's leader is named by its own node first. */
    if (worst && worst->silent_s > timeout_s + 1 + delay_s(p)) {
        const bool alone = heard > 1 && silent == heard;
        return name(p, alone ? GUARD_CUT_OFF : GUARD_SILENT, alone ? p->node : worst->from, worst->silent_s, worst, v);
    }
    /* Without every link, progress elsewhere may be unknown here. */
    if (heard == p->links && p->fresh_s > timeout_s + 2 + 2 * delay_s(p))
        return name(p, GUARD_STALLED, p->node, p->fresh_s, NULL, v);
    return false;
}
