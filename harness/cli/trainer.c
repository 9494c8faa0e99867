/* SPDX-License-Identifier: Apache-2.0
 *
 * Opens what a rank computes with, and describes its run. */
#include "cli/trainer.h"

#include "cli/alike.h"
#include "cli/cli.h"
#include "inject/inject.h"
#include "inventory/fingerprint.h"

int cli_trainer_workload(const char *name, int nodes, struct cli_workload *w, struct plan_request *r,
                         struct base_error *e) {
    int code = cli_catalog_workload(name, w, e);
    if (!code) code = cli_catalog_model(w->model, &r->config, e);
    if (!code && w->layers) code = model_config_slice(&r->config, w->layers, e);
    if (!code && w->experts) code = model_config_slice_experts(&r->config, w->experts, e);
    r->seq = w->seq;
    r->global_batch = w->scaling == RECORD_WEAK ? nodes * w->batch : w->batch;
    return code;
}

int cli_trainer_read(struct cli_trainer *t, const char *backend, struct base_error *e) {
    enum kernel_isa isa;
    int code = cli_isa(&isa, e);
    if (!code) code = cli_backend_read(&t->backend, backend, e);
    if (!code) kernel_select(&t->ops, isa, t->backend.linked);
    return code;
}

int cli_trainer_place(struct cli_trainer *t, struct comm *world, int threads, struct base_error *e) {
    const int code = measure_place(&t->place, world, threads, e);
    return code ? code : cli_backend_open(&t->backend, &t->ops, &t->place, world, e);
}

int cli_trainer_pin(struct cli_trainer *t, struct comm *world, enum measure_bind bind, struct base_error *e) {
    int code = comm_agree(world, base_topology_read(&t->topology, e), e);
    if (!code) code = cli_alike_kernels(world, t->topology.cpu, e);
    if (code) return code;
    cli_pin(&t->place, world, bind);
    return cli_backend_count(&t->backend, world, e);
}

json_t *cli_trainer_machine(const struct cli_trainer *t) {
    json_t *machine = inventory_fingerprint(&t->topology, &t->ops, kernel_isa_best());
    cli_backend_record(&t->backend, machine);
    return machine;
}

json_t *cli_trainer_record(const struct cli_trainer *t, struct train_result *r, const struct plan *plan,
                           const struct train_options *o, const struct train_identity *id, struct energy *energy,
                           struct comm *world) {
    const int threads = world->local_size * plan->request.threads;
    r->nominal_flop_per_s = measure_peak_nominal(&t->topology, &t->ops, plan->shape.dtype, threads) * world->nodes;
    json_t *record = train_record(r, plan, o, id, world, cli_trainer_machine(t));
    if (inject_text()) record_set(json_object_get(record, "result"), "injected", json_string(inject_text()));
    const struct energy_windows windows = {r->samples.start + r->earlier, r->samples.seconds + r->earlier,
                                           r->status == RECORD_FAILED || !r->timed ? 0 : r->timed - r->earlier,
                                           (double)plan->request.global_batch * (double)plan->request.seq, "token"};
    if (energy) record_set(json_object_get(record, "result"), "energy", energy_finish(energy, &windows, world));
    return record;
}
