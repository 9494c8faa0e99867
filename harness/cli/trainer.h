/* SPDX-License-Identifier: Apache-2.0
 *
 * What the commands that train share: a workload's sizes, the kernels and CPUs of a rank, and the record of a run. */
#ifndef TOISE_CLI_TRAINER_H
#define TOISE_CLI_TRAINER_H

#include "base/topology.h"
#include "cli/backend.h"
#include "cli/catalog.h"
#include "energy/energy.h"
#include "train/record.h"

/* Loads a workload, and puts its model, sequence length and global batch on so many nodes into *request. */
int cli_trainer_workload(const char *name, int nodes, struct cli_workload *workload, struct plan_request *request,
                         struct base_error *e);

/* What computes on this rank. */
struct cli_trainer {
    struct cli_backend backend;
    struct kernel_ops ops;
    struct measure_placement place;
    struct base_topology topology;
};

/* In this order; an earlier stop leaves nothing behind. First TOISE_ISA and the word of --backend. BASE_USAGE: unknown.
 * Not collective. */
int cli_trainer_read(struct cli_trainer *trainer, const char *backend, struct base_error *e);
/* Then CPUs and threads (0: as granted), and the library of --backend. Collective. */
int cli_trainer_place(struct cli_trainer *trainer, struct comm *world, int threads, struct base_error *e);
/* Then the topology, and threads pinned. BASE_USAGE on all ranks: other instructions on some (alike.h). Collective. */
int cli_trainer_pin(struct cli_trainer *trainer, struct comm *world, enum measure_bind bind, struct base_error *e);

/* A record's `machine`: this node with its software. */
json_t *cli_trainer_machine(const struct cli_trainer *trainer);
/* The record of a run on the ranks of `world`, on all of them. It ends the sampling of energy; NULL: none was sampled.
 * Collective. */
json_t *cli_trainer_record(const struct cli_trainer *trainer, struct train_result *result, const struct plan *plan,
                           const struct train_options *options, const struct train_identity *identity,
                           struct energy *energy, struct comm *world);

#endif
