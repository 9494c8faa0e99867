/* SPDX-License-Identifier: Apache-2.0
 *
 * What a machine's records of toise comm say about a curve: how long an all-reduce takes around a ring, how much of it
 * does not slow matmuls, and how much ranks of a node slow each other. If no record of toise comm has the last, roofs
 * do: the peak slows matmuls, the bandwidth beyond the caches slows passes.
 *
 * An all-reduce of a ring of r ranks takes 2 (r - 1) steps, each of alpha seconds, and carries 2 (r - 1) / r of its
 * bytes over each link, each of beta seconds. toise's own all-reduce is such a ring (comm/ring.c). Links between nodes
 * are not those within one, so each has its alpha and beta. */
#ifndef TOISE_SCALE_LINKS_H
#define TOISE_SCALE_LINKS_H

#include "scale/least.h"
#include "scale/parts.h"

enum scale_link { SCALE_ONE_NODE, SCALE_SEVERAL_NODES, SCALE_LINKS };

struct scale_links {
    bool known[SCALE_LINKS];
    struct scale_least line[SCALE_LINKS]; /* a[0] alpha, a[1] beta */
    double hidden, hidden_sd;             /* share of an all-reduce that does not slow compute; NAN: not measured */
    int share_ranks;                      /* ranks of a node whose slowdown was measured; 0: none */
    double matmul, matmul_sd;             /* how much longer matmuls take while they all compute: 0.1 is 10% */
    double pass, pass_sd;                 /* the same of passes over memory */
    long foreign;                         /* records of toise comm or roofs of another CPU, left out */
};

/* Reads the records of kind "comm" on `threads` threads a rank. bytes: of a message of the training; the sizes near it
 * count where there are enough. */
void scale_links_read(const struct scale_curve *c, int threads, double bytes, struct scale_links *links);
/* The same alpha and beta from the points themselves: what a step takes more than compute explains. extra_s[count] by
 * point; NAN: leave it out. messages and bytes: of a rank's step. */
void scale_links_of_points(const struct scale_curve *c, const double *extra_s, double messages, double bytes,
                           struct scale_links *links);
/* Steps of a ring, and the part of a buffer that a link carries. */
void scale_ring(double ranks, double *steps, double *part);

#endif
