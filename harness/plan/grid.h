/* SPDX-License-Identifier: Apache-2.0
 *
 * Which rank has which coordinates in a layout. */
#ifndef TOISE_PLAN_GRID_H
#define TOISE_PLAN_GRID_H

#include <jansson.h>

#include "plan/layout.h"

/* "tp", "cp", "dp", "pp": the order of layouts that say none, from the innermost, in which ranks are adjacent, to the
 * outermost. So tensor parallel ranks share a node if they fit. It is Megatron's. */
const char *plan_axis_name(enum plan_axis axis);
/* The ranks of an axis of the grid. */
int plan_axis_ranks(const struct plan_layout *layout, enum plan_axis axis);
/* Those that send messages of it to each other: of data parallel ones all replicas (layout.h). Also of "ep". */
int plan_axis_talking(const struct plan_layout *layout, enum plan_axis axis);

/* A rank's coordinates, and the rank that has them. */
struct plan_place {
    int at[PLAN_AXES];
};
struct plan_place plan_grid_place(const struct plan_layout *layout, int rank);
int plan_grid_rank(const struct plan_layout *layout, const struct plan_place *place);
/* The number of a place among the replicas (layout.h) of its part of the model. */
int plan_grid_replica(const struct plan_layout *layout, const struct plan_place *place);
/* Of a replica the number among those that together have all experts, and among those that hold the same ones. */
int plan_grid_expert(const struct plan_layout *layout, const struct plan_place *place);
int plan_grid_expert_replica(const struct plan_layout *layout, const struct plan_place *place);
/* The first rank of a pipeline stage. */
int plan_grid_stage_rank(const struct plan_layout *layout, int stage);

/* Sets dp to what tp, cp and pp leave of `world` ranks. BASE_USAGE: they do not divide it, and what would. */
int plan_grid_fill(struct plan_layout *layout, int world, struct base_error *e);
/* Sets the order from "tp-dp-pp", the innermost first. BASE_USAGE: an axis is unknown, stands twice, or is missing
 * though it has several ranks. */
int plan_grid_order(struct plan_layout *layout, const char *text, struct base_error *e);
/* The same as text, of axes of several ranks; "" if it is the usual one. */
void plan_grid_order_text(const struct plan_layout *layout, char text[32]);

enum { PLAN_RANKS_LISTED = 65536 };
/* {"ranks": [...], "group_nodes": {...}}. Each rank has "rank", "node" and its coordinates of axes with several ranks,
 * as "tp". group_nodes: the most nodes that a group of an axis is on; of "dp" those that sum gradients
 * (plan_layout_replicas). node[world]: where each rank is; NULL: unknown. NULL: there is one rank, or there are more
 * than PLAN_RANKS_LISTED. */
json_t *plan_grid_record(const struct plan_layout *layout, const int *node);

#endif
