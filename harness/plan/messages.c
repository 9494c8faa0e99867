/* SPDX-License-Identifier: Apache-2.0
 *
 * The messages of a step: gradients summed in buckets, or under ZeRO in blocks of each range. */
#include "plan/plan.h"

/* What is final but not yet sent: a stretch that grows downwards from the end, and the early token table. */
struct pending {
    plan_each_message *each;
    void *context;
    int64_t bucket, above, table; /* elements */
};

static void flush(struct pending *p, int64_t *elements, int64_t turn, int64_t least) {
    if (*elements < least || *elements == 0) return;
    p->each(p->context, turn, "all_reduce", "gradient all-reduce", 4.0 * (double)*elements);
    *elements = 0;
}

/* The rule of parallel/buckets.h. */
static void buckets(const struct plan *p, const struct model_params *params, plan_each_message *each, void *context) {
    const struct plan_request *r = &p->request;
    const int64_t layers = r->config.layers, table = p->rows_apart ? r->config.vocab * r->config.width : 0;
    const int64_t final = params->total - model_params_start(params, layers + 1), rest = params->layer0 - table;
    struct pending x = {each, context, r->bucket, 0, table};
    flush(&x, &x.table, 0, x.bucket);
    for (int64_t i = 0; i < layers + 2; i++) {
        x.above += i == 0 ? final : i <= layers ? params->layer_size : rest;
        const bool meets = i == layers + 1 || (i == layers && rest == 0); /* it touches the table */
        if (meets) x.above += x.table, x.table = 0;
        flush(&x, &x.above, i, i <= layers ? x.bucket : 1);
    }
    if (!p->rows_apart) return;
    const double rows = (double)plan_rows_count(r),
                 row = (double)r->config.width * (double)kernel_dtype_bytes(r->dtype);
    each(context, layers + 1, "all_gather", "embedding rows all-gather", rows * sizeof(int32_t));
    each(context, layers + 1, "all_gather", "embedding rows all-gather", rows * row);
}

/* The rule of parallel/zero.h. */
static void zero(const struct plan *p, const struct model_params *params, plan_each_message *each, void *context) {
    const int64_t layers = params->layers, last = layers + 1, again = layers > 2 ? layers - 2 : 0;
    const int stage = p->request.layout.zero;
    const double size = (double)kernel_dtype_bytes(p->request.dtype);
    for (int64_t micro = stage == 1 ? p->accumulation - 1 : 0; micro < p->accumulation; micro++)
        for (int64_t range = last; range >= 0; range--) {
            const int64_t count = model_params_start(params, range + 1) - model_params_start(params, range);
            if (count) each(context, last - range, "reduce_scatter", "gradient reduce-scatter", 4.0 * (double)count);
        }
    for (int64_t range = 0; range <= last; range++) {
        const bool layer = range > 0 && range < last;
        const int64_t count = model_params_start(params, range + 1) - model_params_start(params, range);
        /* of a layer beyond the last two also before each of the other passes of the step */
        const int64_t times = stage == 3 && layer && range <= again ? 2 * p->accumulation : 1;
        for (int64_t i = 0; count && i < times; i++)
            each(context, layers + 2, "all_gather", "weight all-gather", size * (double)count);
    }
}

void plan_messages(const struct plan *p, const struct model_params *params, plan_each_message *each, void *context) {
    if (p->request.layout.dp == 1) return;
    (p->request.layout.zero ? zero : buckets)(p, params, each, context);
}
