/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of operations, with known numbers for each. */
#include "collectives/op.h"

#include <math.h>

/* Addends: whole numbers whose sum over half a million ranks is still exact in FP32. */
static int64_t common(int64_t i, int salt) {
    return 1 + (i + i / 31 + salt) % 19;
}
static int64_t extra(int rank) {
    return rank % 13;
}
static double sum_of_extras(int ranks) {
    return (double)(ranks / 13 * 78 + (ranks % 13) * (ranks % 13 - 1) / 2);
}

/* What is copied tells where it comes from. */
static float copied(int64_t i, int rank, int salt) {
    return (float)(1 + (31 * i + i / 1009 + 97LL * rank + 7919LL * salt) % 16381);
}

static void poison(float *x, int64_t low, int64_t high) {
    for (int64_t i = low; i < high; i++) x[i] = NAN;
}
static void fill_copied(float *x, int64_t low, int64_t high, int rank, int salt) {
    for (int64_t i = low; i < high; i++) x[i] = copied(i, rank, salt);
}
static double wrong_copies(const float *x, int64_t low, int64_t high, int rank, int salt) {
    double wrong = 0;
    for (int64_t i = low; i < high; i++) wrong += x[i] != copied(i, rank, salt);
    return wrong;
}
/* This rank's block starts here; the next one's with after = 1. */
static int64_t mine(const struct comm *c, int64_t count, int after) {
    return comm_block(count, c->size, c->rank + after);
}

static void fill_addends(const struct comm *c, const struct collectives_operands *o, int salt) {
    for (int64_t i = 0; i < o->count; i++) o->x[i] = (float)(common(i, salt) + extra(c->rank));
}
static double wrong_sums(const struct comm *c, const float *x, int64_t low, int64_t high, int salt) {
    const double extras = sum_of_extras(c->size);
    double wrong = 0;
    for (int64_t i = low; i < high; i++) wrong += (double)x[i] != extras + (double)c->size * (double)common(i, salt);
    return wrong;
}

static void all_reduce(struct comm *c, const struct collectives_operands *o) {
    struct comm_request request;
    c->ops->all_reduce_start(c, o->x, o->count, KERNEL_F32, &request);
    c->ops->wait(c, &request);
}
static double all_reduce_wrong(const struct comm *c, const struct collectives_operands *o, int salt) {
    return wrong_sums(c, o->x, 0, o->count, salt);
}

static void reduce_scatter(struct comm *c, const struct collectives_operands *o) {
    struct comm_request request;
    c->ops->reduce_scatter_start(c, o->x, o->count, KERNEL_F32, &request);
    c->ops->wait(c, &request);
}
static double reduce_scatter_wrong(const struct comm *c, const struct collectives_operands *o, int salt) {
    return wrong_sums(c, o->x, mine(c, o->count, 0), mine(c, o->count, 1), salt);
}

static void all_gather(struct comm *c, const struct collectives_operands *o) {
    struct comm_request request;
    c->ops->all_gather_start(c, o->x, o->count, sizeof *o->x, &request);
    c->ops->wait(c, &request);
}
static void all_gather_fill(const struct comm *c, const struct collectives_operands *o, int salt) {
    poison(o->x, 0, o->count);
    fill_copied(o->x, mine(c, o->count, 0), mine(c, o->count, 1), c->rank, salt);
}
static double all_gather_wrong(const struct comm *c, const struct collectives_operands *o, int salt) {
    double wrong = 0;
    for (int r = 0; r < c->size; r++)
        wrong += wrong_copies(o->x, comm_block(o->count, c->size, r), comm_block(o->count, c->size, r + 1), r, salt);
    return wrong;
}

static void broadcast(struct comm *c, const struct collectives_operands *o) {
    struct comm_request request;
    c->ops->broadcast_start(c, o->x, (size_t)o->count * sizeof *o->x, 0, &request);
    c->ops->wait(c, &request);
}
static void broadcast_fill(const struct comm *c, const struct collectives_operands *o, int salt) {
    poison(o->x, 0, o->count);
    if (c->rank == 0) fill_copied(o->x, 0, o->count, 0, salt);
}
static double broadcast_wrong(const struct comm *c, const struct collectives_operands *o, int salt) {
    (void)c;
    return wrong_copies(o->x, 0, o->count, 0, salt);
}

static void all_to_all(struct comm *c, const struct collectives_operands *o) {
    struct comm_request request;
    c->ops->all_to_all_start(c, o->x, o->y, (size_t)(o->count / c->size) * sizeof *o->x, &request);
    c->ops->wait(c, &request);
}
static void copied_fill(const struct comm *c, const struct collectives_operands *o, int salt) {
    fill_copied(o->x, 0, o->count, c->rank, salt);
    poison(o->y, 0, o->count);
}
static double all_to_all_wrong(const struct comm *c, const struct collectives_operands *o, int salt) {
    const int64_t block = o->count / c->size;
    double wrong = 0;
    for (int64_t r = 0; r < c->size; r++)
        for (int64_t i = 0; i < block; i++) wrong += o->y[r * block + i] != copied(c->rank * block + i, (int)r, salt);
    return wrong;
}

/* The last of an odd number of ranks has no partner. */
static bool paired(const struct comm *c) {
    return (c->rank ^ 1) < c->size;
}
static void p2p(struct comm *c, const struct collectives_operands *o) {
    const int partner = c->rank ^ 1;
    const size_t bytes = (size_t)o->count * sizeof *o->x;
    struct comm_request request;
    if (!paired(c)) return;
    if (c->rank < partner) {
        c->ops->send_start(c, o->x, bytes, partner, 0, &request);
        c->ops->wait(c, &request);
    }
    c->ops->receive_start(c, o->y, bytes, partner, 0, &request);
    c->ops->wait(c, &request);
    if (c->rank > partner) {
        c->ops->send_start(c, o->y, bytes, partner, 0, &request);
        c->ops->wait(c, &request);
    }
}
static double p2p_wrong(const struct comm *c, const struct collectives_operands *o, int salt) {
    return paired(c) ? wrong_copies(o->y, 0, o->count, c->rank & ~1, salt) : 0;
}

static void bidirectional(struct comm *c, const struct collectives_operands *o) {
    const size_t bytes = (size_t)o->count * sizeof *o->x;
    struct comm_request in, out;
    if (c->size == 1) return;
    c->ops->receive_start(c, o->y, bytes, (c->rank + c->size - 1) % c->size, 0, &in);
    c->ops->send_start(c, o->x, bytes, (c->rank + 1) % c->size, 0, &out);
    c->ops->wait(c, &in);
    c->ops->wait(c, &out);
}
static double bidirectional_wrong(const struct comm *c, const struct collectives_operands *o, int salt) {
    return c->size == 1 ? 0 : wrong_copies(o->y, 0, o->count, (c->rank + c->size - 1) % c->size, salt);
}

static double both_halves(int ranks) {
    return 2.0 * (ranks - 1) / ranks;
}
static double all_but_one(int ranks) {
    return (ranks - 1.0) / ranks;
}
static double everything(int ranks) {
    (void)ranks;
    return 1;
}

/* clang-format off */
const struct collectives_op collectives_ops[COLLECTIVES_OPS] = {
    [COLLECTIVES_ALL_REDUCE] = {"all_reduce", "sum", -1, true, false, 1,
                                both_halves, all_reduce, fill_addends, all_reduce_wrong},
    [COLLECTIVES_REDUCE_SCATTER] = {"reduce_scatter", "sum", -1, true, true, 1,
                                    all_but_one, reduce_scatter, fill_addends, reduce_scatter_wrong},
    [COLLECTIVES_ALL_GATHER] = {"all_gather", "none", -1, true, true, 1,
                                all_but_one, all_gather, all_gather_fill, all_gather_wrong},
    [COLLECTIVES_BROADCAST] = {"broadcast", "none", 0, true, false, 1,
                               everything, broadcast, broadcast_fill, broadcast_wrong},
    [COLLECTIVES_ALL_TO_ALL] = {"all_to_all", "none", -1, false, true, 1,
                                all_but_one, all_to_all, copied_fill, all_to_all_wrong},
    [COLLECTIVES_P2P] = {"p2p", "none", -1, false, false, 0.5,
                         everything, p2p, copied_fill, p2p_wrong},
    [COLLECTIVES_BIDIRECTIONAL] = {"bidirectional", "none", -1, false, false, 1,
                                   everything, bidirectional, copied_fill, bidirectional_wrong},
};
/* clang-format on */

const char *collectives_op_name(int i) {
    return i < COLLECTIVES_OPS ? collectives_ops[i].name : NULL;
}

int64_t collectives_op_bytes(const struct collectives_op *op, int64_t bytes, int ranks) {
    const int64_t grain = (int64_t)sizeof(float) * (op->blocks ? ranks : 1);
    return bytes / grain * grain;
}
