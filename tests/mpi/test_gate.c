/* SPDX-License-Identifier: Apache-2.0
 * check: ranks 2 4
 * The gate over ranks: healthy runs stay under a quarter of the threshold; a dropped rank, a sum for a mean, a stale
 * replica exceed it tenfold. The faults sit in a comm table around the real one. */
#include <math.h>
#include <string.h>

#include "mpi/support/agreed.h"
#include "run/gate.h"

enum fault { HEALTHY, DROPPED_RANK, SUM_FOR_MEAN, STALE_REPLICA, FAULTS };
static const char *const names[FAULTS] = {"healthy", "a dropped rank", "sum for mean", "a stale replica"};

static const struct comm_ops *inner;
static enum fault fault;
static float *last_buffer;

static void faulty_start(struct comm *world, float *buffer, int64_t count, struct comm_request *request) {
    const bool last = world->rank == world->size - 1;
    const float factor = fault == SUM_FOR_MEAN ? (float)world->size : fault == DROPPED_RANK && last ? 0.0f : 1.0f;
    for (int64_t i = 0; i < count; i++) buffer[i] *= factor;
    last_buffer = buffer;
    inner->sum_start(world, buffer, count, request);
}
/* The loss is summed when all gradients are: here one rank's copy of one gradient goes wrong. */
static void faulty_sum(struct comm *world, double *x, int n) {
    inner->sum(world, x, n);
    if (fault == STALE_REPLICA && world->rank == world->size - 1 && last_buffer) *last_buffer = -*last_buffer - 1;
    last_buffer = NULL;
}

static struct plan_request request_of(const struct comm *world, enum kernel_dtype dtype) {
    struct base_error e;
    struct plan_request r = {.dtype = dtype,
                             .seq = 64,
                             .micro_batch = 2,
                             .global_batch = 4 * world->size,
                             .world = world->size,
                             .threads = 1};
    json_t *json = json_pack("{s:s, s:i, s:i, s:i, s:i, s:i}", "model_type", "gpt2", "n_embd", 128, "n_layer", 3,
                             "n_head", 4, "n_positions", 64, "vocab_size", 300);
    if (model_config_parse(&r.config, "test", json, "test", &e)) abort();
    json_decref(json);
    return r;
}

/* The worst residual of part 1 with this fault. */
static double worst(struct agreed *a, enum kernel_dtype dtype, uint64_t seed) {
    const struct plan_request request = request_of(&a->world, dtype);
    struct kernel_ops ops;
    struct run_gate gate;
    struct base_error e;
    struct comm world = a->world;
    struct comm_ops table = *a->world.ops;
    double most = 0;
    inner = a->world.ops;
    table.sum_start = faulty_start;
    table.sum = faulty_sum;
    world.ops = &table;
    kernel_select(&ops, kernel_isa_best(), KERNEL_BACKEND_TOISE);
    run_gate_clear(&gate);
    if (run_gate_path(&gate, &request, &world, &ops, seed, &e)) return NAN;
    for (int i = 0; i < RUN_CHECKS; i++)
        if (!isnan(gate.residual[i])) most = fmax(most, gate.residual[i]);
    return most;
}

int main(void) {
    struct agreed a;
    agreed_open(&a);
    for (int dtype = 0; dtype < KERNEL_DTYPE_COUNT; dtype++)
        for (int f = 0; f < FAULTS; f++) {
            double low = INFINITY, high = 0;
            fault = (enum fault)f;
            for (uint64_t seed = 1; seed <= 20; seed++) {
                const double r = worst(&a, (enum kernel_dtype)dtype, seed);
                low = fmin(low, r);
                high = isnan(r) ? INFINITY : fmax(high, r);
            }
            if (a.world.rank == 0)
                printf("%s, %s: residuals %.3g to %.3g, threshold %g\n", dtype ? "BF16" : "FP32", names[f], low, high,
                       RUN_THRESHOLD);
            agreed_check(&a, fault == HEALTHY ? high <= RUN_THRESHOLD / 4 : low >= RUN_THRESHOLD * 10, names[f]);
        }
    return agreed_close(&a);
}
