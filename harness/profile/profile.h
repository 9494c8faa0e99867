/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the time of a rank's steps goes. An engine's kernel table and comm are wrapped by ones that time each call.
 *
 * The room profile/ promises the seconds of every operation of the plan's ledger (rows.c). record.c makes them a
 * fraction of a roof and a share of the step. trace.c writes the calls of one step of all ranks as a timeline. A call
 * costs two looks at the clock. A run that is not profiled costs nothing, as nothing is wrapped. It needs an engine and
 * the roofs. It does not know which steps are timed, nor why. */
#ifndef TOISE_PROFILE_PROFILE_H
#define TOISE_PROFILE_PROFILE_H

#include <jansson.h>

#include "parallel/step.h"

/* Operations that the ledger tells by their name alone, as a step has one shape of each: all but matmuls. */
#define PROFILE_PASSES(X)                                                                                              \
    X(attention_forward)                                                                                               \
    X(attention_backward)                                                                                              \
    X(norm_forward)                                                                                                    \
    X(norm_grad_input)                                                                                                 \
    X(norm_grad_params)                                                                                                \
    X(gelu_forward)                                                                                                    \
    X(gelu_backward)                                                                                                   \
    X(swiglu_forward)                                                                                                  \
    X(swiglu_backward)                                                                                                 \
    X(route_forward)                                                                                                   \
    X(route_backward)                                                                                                  \
    X(rows_gather)                                                                                                     \
    X(rows_sum)                                                                                                        \
    X(rotary)                                                                                                          \
    X(column_sum)                                                                                                      \
    X(cross_entropy_stats)                                                                                             \
    X(cross_entropy_combine)                                                                                           \
    X(cross_entropy_grad)                                                                                              \
    X(embedding_forward)                                                                                               \
    X(embedding_backward)                                                                                              \
    X(adamw)                                                                                                           \
    X(square_sum)                                                                                                      \
    X(to_bf16)                                                                                                         \
    X(from_bf16)                                                                                                       \
    X(copy)                                                                                                            \
    X(zero)                                                                                                            \
    X(triad)
enum profile_pass {
#define PROFILE_PASS(op) PROFILE_##op,
    PROFILE_PASSES(PROFILE_PASS)
#undef PROFILE_PASS
        PROFILE_rotary_back,
    PROFILE_PASS_COUNT
};

/* Rows that no kernel makes. */
enum profile_other {
    PROFILE_DATA,       /* filling in the batch */
    PROFILE_MESSAGES,   /* starting messages and waiting for them */
    PROFILE_STAGES,     /* the same of messages between pipeline stages */
    PROFILE_PROGRESSED, /* moving messages on from within kernels */
    PROFILE_UNLISTED,   /* matmuls that the ledger does not list: none */
    PROFILE_OTHERS
};

/* An operation of the ledger by its name; shapes of one name are one row, and names of one shape too. */
struct profile_row {
    char name[96];
    const char *op; /* the kernel's name; "" for others */
    enum plan_phase phase;
    double calls, seconds; /* sums over the profiled steps */
    double flop, bytes;    /* of one step of a rank, from the ledger; 0: none */
};

/* A call of the last profiled step; of a message: from its start to its end. */
struct profile_event {
    int row;
    bool message;
    double begin, end; /* by base_clock_now */
};

enum { PROFILE_ROWS_MOST = PLAN_OPS_MAX + PROFILE_PASS_COUNT + PROFILE_OTHERS, PROFILE_EVENTS_MOST = 1 << 16 };

/* A comm whose table of functions times them and calls the table that it had. */
struct profile_comm {
    struct comm_ops ops; /* must be first: it is found by its address */
    const struct comm_ops *inner;
    struct comm *comm;
    struct profile *profile;
    enum profile_other row; /* of its messages */
};
enum {
    PROFILE_COMMS = 1 + PARALLEL_GROUPS,
    PROFILE_FLIGHTS = 256
}; /* flights: messages on their way that a trace can show */

struct profile {
    struct profile_comm comms[PROFILE_COMMS];
    int comm_count;
    struct parallel_engine *engine;
    struct kernel_ops ops;
    const struct kernel_ops *inner;
    struct comm *world;
    struct profile_row rows[PROFILE_ROWS_MOST];
    int row_count, of_op[PLAN_OPS_MAX], of_pass[PROFILE_PASS_COUNT], of_other[PROFILE_OTHERS];
    bool on;       /* within a profiled step */
    double inside; /* seconds of all calls so far, with those that they make themselves */
    int steps;
    double seconds;               /* of the profiled steps */
    double peak, bandwidth;       /* roofs of this rank, FLOP/s (set by the caller) and byte/s; NAN: unknown */
    char bandwidth_text[128];     /* which pass was the fastest; or why the bandwidth is unknown */
    double began, ended;          /* the last profiled step */
    struct profile_event *events; /* [PROFILE_EVENTS_MOST]; NULL: no trace */
    int event_count, lost;        /* lost: events beyond the room for them */
    struct {
        const struct comm_request *request; /* NULL: none */
        double begin;
    } flight[PROFILE_FLIGHTS]; /* when messages started; the next one takes the place of the oldest */
    int64_t flights;
};

/* Wraps the engine's kernels and comm. `traced`: calls are also kept one by one. BASE_BROKEN: out of memory. */
int profile_open(struct profile *profile, struct parallel_engine *engine, bool traced, struct base_error *e);
/* Unwraps them. What was measured remains until profile_free. */
void profile_close(struct profile *profile);
void profile_free(struct profile *profile);

/* Around each profiled step; the result is the step's. */
void profile_step_begin(struct profile *profile);
void profile_step_end(struct profile *profile, const struct parallel_result *result);

/* Measures this rank's bandwidth, while the other ranks do the same. period_s: of a CPU quota, or 0. If memory is
 * short, `bandwidth` is NAN with the reason. Collective. */
void profile_bandwidth(struct profile *profile, double period_s);

/* A record's result.profile: this rank's rows, the slowest first. */
json_t *profile_record(const struct profile *profile);

/* Writes the last profiled step of all ranks to a file in the Trace Event Format, which Perfetto and chrome://tracing
 * open. Rank 0 writes; clocks of several nodes are aligned at a barrier. Collective. */
int profile_trace(const struct profile *profile, const char *path, struct base_error *e);

/* For this room: the rows of a plan; a matmul's row. */
void profile_rows_open(struct profile *profile);
int profile_row_of_gemm(const struct profile *profile, const struct kernel_gemm *g);

#endif
