/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the ranks of a layout are. */
#include <stdio.h>
#include <stdlib.h>

#include "records/get.h"
#include "training/training.h"

/* Tensor parallel ranks talk most, so they belong on one node if so many ranks fit there. */
static void warn_apart(const json_t *grid, const struct plan_layout *l, int64_t local) {
    const long long nodes = record_whole(grid, "group_nodes.tp");
    if (nodes > 1 && l->tp <= local)
        fprintf(
            stderr,
            "toise: %d tensor parallel ranks that fit on one node are on %lld: start neighbours on one node (mpirun "
            "--map-by slot, srun --distribution=block), or give another --order\n",
            l->tp, nodes);
}

int training_list_ranks(struct comm *world, const struct training_flags *f, const struct plan_layout *l, json_t **grid,
                        struct base_error *e) {
    const int ranks = plan_layout_world(l);
    int *node = ranks > PLAN_RANKS_LISTED ? NULL : malloc((size_t)ranks * sizeof *node);
    int code =
        node || ranks > PLAN_RANKS_LISTED ? BASE_OK : base_fail(e, BASE_BROKEN, "out of memory for %d ranks", ranks);
    if (!(code = comm_agree(world, code, e)) && node && !f->world)
        world->ops->all_gather(world, &world->node, sizeof *node, node);
    for (int r = 0; !code && node && f->ranks_per_node && r < ranks; r++) node[r] = r / (int)f->ranks_per_node;
    if (!code && world->rank == 0) *grid = plan_grid_record(l, f->world && !f->ranks_per_node ? NULL : node);
    if (!code && world->rank == 0) warn_apart(*grid, l, f->world ? f->ranks_per_node : world->local_size);
    free(node);
    return code;
}

int training_warn_apart(struct comm *world, const struct training_flags *f, const struct plan *plan,
                        struct base_error *e) {
    const struct plan_layout *l = &plan->request.layout;
    json_t *grid = NULL;
    const int code = l->tp > 1 && world->nodes > 1 ? training_list_ranks(world, f, l, &grid, e) : BASE_OK;
    json_decref(grid);
    return code;
}
