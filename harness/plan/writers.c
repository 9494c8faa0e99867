/* SPDX-License-Identifier: Apache-2.0
 *
 * Goes over a model's tensors without a table of them, as a plan allocates nothing. */
#include "plan/writers.h"

#include "base/arena.h"

enum { ARRAYS = 3 }; /* weights and two moments */

int plan_writer(const struct model_params *whole, int writers, int64_t offset, int64_t count) {
    const double middle = (double)(offset + count / 2);
    int writer = (int)(middle * writers / (double)whole->total);
    /* the cuts are products, which rounding moves less than quotients */
    while (writer < writers - 1 && middle * writers >= (double)whole->total * (writer + 1)) writer++;
    while (writer > 0 && middle * writers < (double)whole->total * writer) writer--;
    return writer < writers ? writer : writers - 1;
}

/* Parts of the table, in its order. */
enum section { BEFORE, LAYERED, AFTER, EXPERTS, SECTIONS };

static enum section section_of(const struct model_params *p, const struct model_parameter *kind) {
    const int64_t offset = model_params_offset(p, kind->role, 0);
    return kind->expert ? EXPERTS : offset < p->layer0 ? BEFORE : offset < p->layer0 + p->layer_size ? LAYERED : AFTER;
}

/* What ranks write, of whom one after the other is looked at. */
struct tally {
    const struct plan_request *request;
    struct model_params params;
    int stage, only; /* those of a stage, or one rank; -1: any */
    int rank;        /* the current one */
    int64_t written; /* by it, so far */
    int most;        /* the one that writes most; -1: none of them writes */
    int64_t elements;
};

static void end_rank(struct tally *t) {
    const struct plan_layout *l = &t->request->layout;
    const bool counts =
        (t->only < 0 || t->only == t->rank) && (t->stage < 0 || plan_grid_place(l, t->rank).at[PLAN_PP] == t->stage);
    if (counts && t->written > t->elements) t->most = t->rank, t->elements = t->written;
    t->written = 0;
}

static void add(struct tally *t, const struct model_parameter *kind, int64_t layer, int64_t expert) {
    const struct model_config *c = &t->request->config;
    const int64_t count = model_config_dim(c, kind->rows) * model_config_dim(c, kind->cols);
    const int64_t offset = model_params_offset(&t->params, kind->role, layer) + expert * t->params.expert_each;
    const int writer = plan_writer(&t->params, (int)plan_layout_world(&t->request->layout), offset, count);
    if (writer != t->rank) end_rank(t);
    t->rank = writer;
    t->written += count;
}

static void add_section(struct tally *t, enum section section) {
    const struct model_config *c = &t->request->config;
    const int64_t layers = section == LAYERED || section == EXPERTS ? c->layers : 1;
    const int64_t experts = section == EXPERTS ? c->own_experts : 1;
    for (int64_t i = 0; i < layers * experts; i++)
        for (int k = 0; k < c->family->parameter_count; k++) {
            const struct model_parameter *kind = &c->family->parameters[k];
            if (model_config_has(c, kind->role) && section_of(&t->params, kind) == section)
                add(t, kind, i / experts, i % experts);
        }
}

static struct tally tally(const struct plan_request *request, int stage, int only) {
    struct tally t = {.request = request, .stage = stage, .only = only, .most = -1};
    model_params_size(&t.params, &request->config);
    for (int s = 0; s < SECTIONS; s++) add_section(&t, (enum section)s);
    end_rank(&t);
    return t;
}

int plan_writes_most(const struct plan_request *request, int stage) {
    const struct tally t = tally(request, stage, -1);
    return t.most < 0 ? plan_grid_stage_rank(&request->layout, stage < 0 ? 0 : stage) : t.most;
}

static double bytes_of(int64_t elements) {
    return (double)base_arena_piece((size_t)elements * ARRAYS * sizeof(float));
}

double plan_copy_bytes(const struct plan_request *request, int rank) {
    return request->copies ? bytes_of(tally(request, -1, rank).elements) : 0;
}

double plan_copies_bytes(const struct plan_request *request, int local) {
    if (!request->copies) return 0;
    if (local == plan_layout_world(&request->layout)) return bytes_of(model_params_count(&request->config));
    return bytes_of(tally(request, -1, -1).elements) * local;
}
