/* SPDX-License-Identifier: Apache-2.0
 *
 * The embedding's part of a tied token table's gradient, apart from the head's (plan_rows_apart): the rows of each
 * rank's tokens go to all ranks, and each adds those of rank 0, 1, ... to the table. So all get the same bits. */
#ifndef TOISE_PARALLEL_ROWS_H
#define TOISE_PARALLEL_ROWS_H

#include "base/arena.h"
#include "comm/comm.h"
#include "plan/plan.h"

struct parallel_rows {
    int64_t count, width; /* rows of all ranks; 0: the plan sums the table as a whole */
    int64_t first, vocab; /* this rank's part of the table, as in struct kernel_embedding */
    enum kernel_dtype dtype;
    int32_t *tokens; /* [count] rank by rank */
    void *rows;      /* [count, width] */
    bool taken;      /* in this step */
    struct comm_request request[2];
};

/* Takes its memory from the arena, which the plan made for it. A comm of one rank needs none of it. */
void parallel_rows_open(struct parallel_rows *rows, const struct plan *plan, const struct comm *comm,
                        struct base_arena *arena);

/* A step: begin; take this rank's rows dx[count / size, width]; start; finish, once the table has the sum of the head's
 * parts. finish adds all rows to table[vocab, width]. False: no rows were taken. With a count of 0 they do nothing. */
void parallel_rows_begin(struct parallel_rows *rows);
void parallel_rows_take(struct parallel_rows *rows, const struct comm *comm, const int32_t *tokens, const void *dx);
void parallel_rows_start(struct parallel_rows *rows, struct comm *comm);
bool parallel_rows_finish(struct parallel_rows *rows, struct comm *comm, const struct kernel_team *team, float *table);

#endif
