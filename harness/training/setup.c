/* SPDX-License-Identifier: Apache-2.0
 *
 * What the flags of toise train resolve to: model, sizes, layout, options. Defaults are here. */
#include "training/training.h"

#include <math.h>
#include <string.h>

#include "records/get.h"

enum { USUAL_WARMUP = 2 }; /* steps, if --steps fixes the work */
static const double USUAL_BUDGET_S = 120;

/* The default workload applies unless a flag sets something that it fixes. The micro-batch is chosen later, when memory
 * is known. */
static int resolve_sizes(const struct training_flags *f, int world, int nodes, struct training *s,
                         struct base_error *e) {
    const struct cli_training *t = &f->training;
    struct plan_request *r = &s->request;
    const bool plain =
        !t->model && !t->seq && !t->global_batch && !t->layers && !t->experts && !f->data && isnan(f->lr) && !f->init;
    const char *model = t->model;
    char beside[PATH_MAX];
    int code = BASE_OK;
    if ((code = training_layout_resolve(&f->layout, world, &r->layout, e))) return code;
    if (f->order && (code = plan_grid_order(&r->layout, f->order, e))) return code;
    if (f->workload || plain)
        return cli_trainer_workload(f->workload ? f->workload : "node-s", nodes, &s->workload, r, e);
    const char *weights = f->checkpoint ? f->checkpoint : f->init;
    if (weights && !model && (code = cli_catalog_beside(weights, beside, e))) return code;
    if (weights && !model) model = beside;
    if ((code = cli_catalog_model(model ? model : CLI_MODEL, &r->config, e))) return code;
    if (t->layers && (code = model_config_slice(&r->config, t->layers, e))) return code;
    if (t->experts && (code = model_config_slice_experts(&r->config, t->experts, e))) return code;
    r->seq = t->seq ? t->seq : cli_usual_seq(&r->config);
    r->global_batch = t->global_batch ? t->global_batch : training_layout_batch(&r->layout);
    return BASE_OK;
}

int training_resolve(const struct training_flags *f, const struct comm *real, struct training *s,
                     struct base_error *e) {
    const int world = f->world ? (int)f->world : real->size;
    const int each = f->ranks_per_node ? (int)f->ranks_per_node : real->local_size;
    const int nodes = f->world ? (world + each - 1) / each : real->nodes;
    *s = (struct training){.request = {.dtype = (enum kernel_dtype)f->training.precision,
                                       .rank = f->world ? 0 : real->rank,
                                       .threads = (int)f->threads,
                                       .gate = !f->no_gate,
                                       .copies = f->async_save},
                           .workload.optimizer = parallel_optimizer_default()};
    int code = resolve_sizes(f, world, nodes, s, e);
    if (!code) code = training_layout_stages(&f->layout, &s->request, e);
    if (!code) code = training_layout_route(&f->layout, (uint64_t)f->seed, &s->request.route, e);
    s->options = (struct train_options){.optimizer = s->workload.optimizer,
                                        .data = {.path = f->data, .format = f->format},
                                        .seed = (uint64_t)f->seed,
                                        .steps = (int)f->steps,
                                        .min_steps = (int)f->min_steps,
                                        .warmup = f->warmup >= 0 ? (int)f->warmup
                                                  : f->steps     ? USUAL_WARMUP
                                                                 : -1,
                                        .overlap = (enum train_overlap_mode)f->overlap,
                                        .overlap_pairs = f->warmup < 0,
                                        .ci = !isnan(f->ci) ? f->ci
                                              : f->steps    ? INFINITY
                                                            : TRAINING_USUAL_CI,
                                        .one_of_many = f->launch.index > 0,
                                        .budget_s = isnan(f->budget) ? USUAL_BUDGET_S : f->budget,
                                        .gate = !f->no_gate,
                                        .init = f->init,
                                        .profile = f->profile,
                                        .trace = f->trace,
                                        .save = f->save,
                                        .save_every = f->save_every,
                                        .keep = (int)f->keep};
    if (isnan(f->lr) || f->lr == s->options.optimizer.lr) return code;
    s->options.optimizer.lr = f->lr;
    s->options.optimizer.lr_min = f->lr / 10;
    return code;
}

int training_plan(struct comm *world, struct training *s, struct plan *plan, struct base_error *e) {
    int local;
    const double available = cli_least_memory(world, &local);
    struct plan_request *r = &s->request;
    training_layout_micro_batch(r, local, available);
    int code = plan_make(plan, r, e);
    return code ? code : plan_check_memory(plan, local, available, e);
}

int training_begin_from(const struct training_flags *f, struct training *s, struct base_error *e) {
    const int code = checkpoint_open(&s->from, f->checkpoint, e);
    if (code) return code;
    s->options.from = &s->from, s->options.first_step = s->from.step;
    const int64_t batch = record_whole(s->from.about, "config.global_batch");
    if (!s->workload.name[0] || batch == s->request.global_batch) return BASE_OK;
    s->request.global_batch = batch, s->rebatched = true;
    return BASE_OK;
}

struct train_identity training_identity(const struct training *s, const struct record_launch *launch,
                                        const char *from) {
    const struct cli_workload *w = &s->workload;
    return (struct train_identity){
        w->name[0] && !s->rebatched ? w->name : NULL, w->version, launch, from, NULL, s->options.overlap};
}
