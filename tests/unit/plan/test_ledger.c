/* SPDX-License-Identifier: Apache-2.0
 *
 * The ledger is what runs: a kernel table and a comm that only count find exactly its FLOPs and messages. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "comm/count.h"
#include "model/model.h"
#include "parallel/buckets.h"
#include "parallel/rows.h"
#include "plan/plan.h"
#include "unit/support/counting.h"
#include "unit/support/rig.h"

/* Reports the final ranges to buckets whose comm only counts. */
struct sent {
    struct comm inner, world;
    struct comm_counter counter;
    struct parallel_buckets buckets, expert_buckets;
    int64_t dense; /* elements before the experts' */
    struct parallel_rows rows;
    bool last_micro;
};

static void on_ready(void *context, int64_t offset, int64_t count) {
    struct sent *s = context;
    if (s->last_micro) parallel_buckets_ready(offset < s->dense ? &s->buckets : &s->expert_buckets, offset, count);
}
/* Other tensor parallel ranks add nothing: values do not matter here. */
static void no_sum(void *context, void *x, int64_t n, enum kernel_dtype dtype) {
    (void)context, (void)x, (void)n, (void)dtype;
}
static void no_wait(void *context) {
    (void)context;
}
static void no_exchange(void *context, enum model_exchange what, const void *to, void *from, size_t bytes) {
    (void)context, (void)what, (void)to, (void)from, (void)bytes;
}
static void no_load(void *context, float *x, int64_t n) {
    (void)context, (void)x, (void)n;
}
static void no_exchanged(void *context, enum model_exchange what) {
    (void)context, (void)what;
}
static void on_rows(void *context, const int32_t *tokens, const void *dx) {
    struct sent *s = context;
    parallel_rows_take(&s->rows, &s->world, tokens, dx);
}

static void run_counted(const struct plan *plan, struct counting *c, struct sent *s) {
    struct kernel_ops ops;
    struct model_params params;
    struct model model;
    struct base_error e = {0};
    const size_t size = (size_t)8 << 30, tokens = (size_t)(plan->shape.batch * plan->shape.seq);
    void *space = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    int32_t *token = calloc(tokens, sizeof *token);
    struct base_arena arena = {.base = space, .size = size};
    struct kernel_team team = {.ops = &ops, .threads = 1};
    assert_true(space != MAP_FAILED && token);
    counting_open(c, &ops);
    assert_int_equal(model_params_open(&params, &plan->part, &e), BASE_OK);
    float *grads = base_arena_take(&arena, 4 * (size_t)params.total);
    void *weights = base_arena_take(&arena, 4 * (size_t)params.total);
    const size_t before = arena.used;
    assert_int_equal(model_open(&model, &plan->shape, &params, &team, weights, grads, &arena, &e), BASE_OK);
    assert_true((double)(arena.used - before) == plan->arenas[PLAN_ACTIVATIONS].bytes);

    comm_serial(&s->inner);
    s->inner.size = plan_layout_replicas(&plan->request.layout);
    comm_count_wrap(&s->world, &s->counter, &s->inner, COMM_ONLY_COUNT);
    const int64_t dense = s->dense = params.expert0, bucket = plan->request.bucket;
    assert_int_equal(parallel_buckets_open(&s->buckets, &s->world, grads, dense, bucket, &e), 0);
    assert_int_equal(parallel_buckets_open(&s->expert_buckets, &s->world, grads, params.total - dense, bucket, &e), 0);
    parallel_buckets_begin(&s->expert_buckets);
    parallel_rows_open(&s->rows, plan, &s->world, &arena);
    parallel_buckets_begin(&s->buckets);
    parallel_rows_begin(&s->rows);
    for (int64_t micro = 0; micro < plan->accumulation; micro++) {
        s->last_micro = micro + 1 == plan->accumulation;
        model.hooks = (struct model_hooks){.context = s,
                                           .ready = on_ready,
                                           .rows = s->last_micro && s->rows.count ? on_rows : NULL,
                                           .sum = no_sum,
                                           .scatter = no_sum,
                                           .gather = no_sum,
                                           .wait = no_wait,
                                           .exchange = no_exchange,
                                           .exchanged = no_exchanged,
                                           .load = no_load};
        model_turn(&model, 0, 0, 0, 0);
        model_forward(&model, token);
        if (model_heads(&model)) model_loss(&model, token, 1);
        model_backward(&model, token);
        model_weights(&model);
    }
    parallel_rows_start(&s->rows, &s->world);
    assert_true(parallel_buckets_finish(&s->buckets) && parallel_buckets_finish(&s->expert_buckets));
    assert_true(parallel_rows_finish(&s->rows, &s->world, &team, grads));
    parallel_buckets_close(&s->buckets), parallel_buckets_close(&s->expert_buckets);
    model_params_close(&params);
    munmap(space, size);
    free(token);
}

/* Kernels that only count choose no experts. */
static const struct model_route balanced = {true, 1, 0};

/* Of matmuls of experts' rows, whose numbers differ from call to call: the FLOP of all that have the other sizes. */
static void check_ragged(const struct plan_ledger *l, const struct counting *c, const struct plan_op *op) {
    double planned = 0, ran = 0;
    for (int i = 0; i < l->count; i++)
        if (plan_op_same_gemm(op, &l->ops[i])) planned += l->ops[i].count * l->ops[i].flop;
    for (int i = 0; i < c->count; i++)
        if (plan_op_same_gemm(op, &c->ops[i]))
            ran += c->ops[i].count * plan_gemm_flop(c->ops[i].m, c->ops[i].n, c->ops[i].k);
    assert_true(fabs(ran - planned) < 1e-12 * planned);
}

static void check_plan(const struct plan_request *request) {
    struct plan plan;
    struct plan_ledger l;
    struct counting c;
    struct sent s = {0};
    struct base_error e = {0};
    assert_int_equal(plan_make(&plan, request, &e), BASE_OK);
    l = plan.ledger;
    run_counted(&plan, &c, &s);
    int shapes = 0;
    for (int i = 0; i < l.count; i++) {
        const struct plan_op *op = &l.ops[i];
        if (op->ragged) check_ragged(&l, &c, op);
        if (op->kind == PLAN_PASS || op->kind == PLAN_MESSAGE || op->ragged) continue;
        double planned = 0; /* different operations may have the same shape */
        for (int j = 0; j < l.count; j++) {
            struct plan_op other = l.ops[j];
            if (other.kind == op->kind && other.m == op->m && other.n == op->n && other.k == op->k &&
                other.a_trans == op->a_trans && other.b_trans == op->b_trans && other.in == op->in &&
                other.out == op->out && other.batch == op->batch && other.seq == op->seq && !other.ragged)
                planned += other.count;
        }
        assert_true(counting_of(&c, op) == planned);
        shapes++;
    }
    assert_true(shapes > 0);
    double again = 0;
    for (int i = 0; i < l.count; i++) again += l.ops[i].again ? l.ops[i].count * l.ops[i].flop : 0;
    assert_true(c.flop == l.matmul_flop + l.attention_flop + again);
    if (request->layout.tp > 1 || request->layout.cp > 1 || request->layout.pp > 1)
        return; /* messages are counted over real ranks */
    assert_true(c.flop == l.hardware_flop / plan.request.layout.dp);
    assert_true(l.model_flop == (l.matmul_flop + l.attention_flop) * plan.request.layout.dp);
    assert_true(request->layout.recompute && request->config.layers > 1 ? l.hardware_flop > l.model_flop
                                                                        : l.hardware_flop == l.model_flop);
    const int sums = COMM_ALL_REDUCE_START, gathers = COMM_ALL_GATHER_START;
    assert_true((double)(s.counter.op[sums].calls + s.counter.op[gathers].calls) == l.messages);
    assert_true((double)(s.counter.op[sums].bytes + s.counter.op[gathers].bytes) == l.message_bytes);
    assert_true(s.counter.op[gathers].calls == (plan.rows_apart ? 2 : 0));
    for (int i = 0; i < l.count; i++) /* each gather is there by its bytes */
        if (l.ops[i].kind == PLAN_MESSAGE && !strcmp(l.ops[i].op, "all_gather"))
            assert_true(l.ops[i].count == 1 && l.ops[i].bytes <= (double)s.counter.op[gathers].bytes);
    assert_true((c.passes > 0) && (!plan.rows_apart || request->layout.dp > 1));
}

/* The token table's gradient as its size says, in two parts, and as a whole. */
static void check_ways(const struct plan_request *request) {
    struct plan_request r = *request;
    for (int rows = PLAN_ROWS_BY_SIZE; rows <= PLAN_ROWS_TOGETHER; rows++) {
        r.rows = (enum plan_rows)rows;
        check_plan(&r);
    }
}

static void ledger_is_what_runs(void **state) {
    (void)state;
    for (int dtype = 0; dtype < KERNEL_DTYPE_COUNT; dtype++) {
        const enum kernel_dtype d = (enum kernel_dtype)dtype;
        const struct plan_request requests[] = {
            {.config = rig_config(12, 768, 12, 50257, 1024),
             .dtype = d,
             .seq = 256,
             .layout = plan_layout_data_parallel(1, 4),
             .global_batch = 4,
             .threads = 2},
            {.config = rig_config(12, 768, 12, 50257, 1024),
             .dtype = d,
             .seq = 1024,
             .layout = plan_layout_data_parallel(4, 1),
             .global_batch = 8,
             .threads = 1},
            /* a remainder in the head's chunks, accumulation, and buckets smaller and larger than a layer */
            {.config = rig_config(3, 48, 3, 101, 64),
             .dtype = d,
             .seq = 37,
             .layout = plan_layout_data_parallel(2, 2),
             .global_batch = 12,
             .threads = 3,
             .head_rows = 23,
             .bucket = 1000},
            {.config = rig_config(5, 64, 4, 77, 64),
             .dtype = d,
             .seq = 1,
             .layout = plan_layout_data_parallel(3, 1),
             .global_batch = 3,
             .threads = 1,
             .bucket = 120000},
            {.config = rig_config(1, 16, 1, 7, 8),
             .dtype = d,
             .seq = 8,
             .layout = plan_layout_data_parallel(2, 3),
             .global_batch = 6,
             .threads = 1,
             .bucket = 1 << 30},
        };
        for (size_t i = 0; i < PLAN_RECOMPUTES * sizeof requests / sizeof *requests; i++) {
            struct plan_request r = requests[i / PLAN_RECOMPUTES];
            r.layout.recompute = (int)(i % PLAN_RECOMPUTES);
            check_ways(&r);
        }
    }
}

/* The same for every family: a window shorter than the sequence, fewer key heads, narrow heads, a remainder in the
 * head's chunks. */
static void ledger_of_every_family(void **state) {
    (void)state;
    for (int f = 0; f < RIG_FAMILIES; f++)
        for (int dtype = 0; dtype < KERNEL_DTYPE_COUNT; dtype++) {
            struct model_config c = rig_config_of(rig_families[f], 3, 48, 6, 101, 64);
            struct plan_request r = rig_request(&c, (enum kernel_dtype)dtype, 37, 2, 3);
            if (c.experts) r.route = balanced;
            r.head_rows = 23;
            check_ways(&r);
            r.layout.dp = 3;
            r.bucket = 1000;
            r.head_rows = 0;
            check_ways(&r);
            if (c.family->position != MODEL_POSITION_ROTARY) continue;
            r.config.head_dim = 10;
            r.config.ffn = 41;
            r.config.tied = true;
            check_ways(&r);
        }
}

/* Of every rank that shares a model: the matmuls of its part, whose partial sums are FP32. */
static void ledger_of_parts(void **state) {
    (void)state;
    for (int f = 0; f < RIG_FAMILIES; f++)
        for (int i = 0; i < 12; i++) {
            const struct model_config c = rig_config_of(rig_families[f], 3, 64, 8, 101, 64);
            struct plan_request r = rig_request(&c, i % 2 ? KERNEL_BF16 : KERNEL_F32, 40, 2, 2);
            if (c.experts) r.route = balanced;
            r.layout.tp = i % 3 == 0 ? 2 : i % 3 == 1 ? 4 : 8; /* which share four key/value heads */
            r.layout.sequence_parallel = i / 2 % 2;
            r.layout.recompute = i / 4;
            for (r.rank = 0; r.rank < r.layout.tp; r.rank++) check_plan(&r);
        }
}

/* Sums of leaves: of columns that tensor parallel ranks split, of words, and of sequences. */
static void ledger_of_leaves(void **state) {
    (void)state;
    for (int f = 0; f < RIG_FAMILIES; f++)
        for (int i = 0; i < 18; i++) {
            const struct model_config c = rig_config_of(rig_families[f], 3, 64, 8, 101, 64);
            struct plan_request r = rig_request(&c, i % 2 ? KERNEL_BF16 : KERNEL_F32, 40, 1 << i % 3, 0);
            if (c.experts) continue;
            r.layout.reproducible = 4, r.global_batch = 8;
            r.layout.tp = 1 << i / 6;
            r.layout.sequence_parallel = r.layout.tp > 1 && i % 2;
            r.layout.recompute = i % PLAN_RECOMPUTES;
            if (i % 5 == 0) r.head_rows = 23; /* each sequence has a rest of 17 */
            for (r.rank = 0; r.rank < r.layout.tp; r.rank++) check_plan(&r);
        }
}

/* Of every stage, whose weight gradients may be apart from backward. */
static void ledger_of_stages(void **state) {
    (void)state;
    for (int f = 0; f < RIG_FAMILIES; f++)
        for (int i = 0; i < 2 * PLAN_SCHEDULES; i++) {
            const struct model_config c = rig_config_of(rig_families[f], 5, 64, 8, 101, 64);
            struct plan_request r = rig_request(&c, i % 2 ? KERNEL_BF16 : KERNEL_F32, 40, 2, 5);
            if (c.experts) r.route = balanced;
            r.layout.pp = 3, r.layout.schedule = i / 2;
            for (r.rank = 0; r.rank < r.layout.pp; r.rank++) check_plan(&r);
        }
}

/* Of every rank that shares sequences: the attention of its queries. Together they do what one rank does, and without a
 * window all do as much. */
static void ledger_of_contexts(void **state) {
    (void)state;
    for (int f = 0; f < RIG_FAMILIES; f++)
        for (int i = 0; i < 12; i++) {
            const struct model_config c = rig_config_of(rig_families[f], 3, 64, 8, 101, 18 * (1 + i % 4) + 60);
            struct plan_request r = rig_request(&c, i % 2 ? KERNEL_BF16 : KERNEL_F32, 48, 2, 2);
            if (c.experts) r.route = balanced;
            struct plan whole, part;
            double flop = 0;
            r.layout.recompute = i / 4;
            assert_int_equal(plan_make(&whole, &r, NULL), BASE_OK);
            r.layout.cp = 2 + i % 3;
            for (r.rank = 0; r.rank < r.layout.cp; r.rank++) {
                check_plan(&r);
                assert_int_equal(plan_make(&part, &r, NULL), BASE_OK);
                flop += part.ledger.attention_flop;
                assert_true(c.window || part.ledger.attention_flop * r.layout.cp == whole.ledger.attention_flop);
                assert_true(part.ledger.model_flop == whole.ledger.model_flop);
                assert_true(part.ledger.hardware_flop == whole.ledger.hardware_flop);
            }
            assert_true(flop == whole.ledger.attention_flop);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ledger_is_what_runs), cmocka_unit_test(ledger_of_every_family),
        cmocka_unit_test(ledger_of_parts),     cmocka_unit_test(ledger_of_stages),
        cmocka_unit_test(ledger_of_contexts),  cmocka_unit_test(ledger_of_leaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
