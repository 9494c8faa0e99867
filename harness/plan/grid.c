/* SPDX-License-Identifier: Apache-2.0
 *
 * A rank is a number whose digits are its coordinates, the innermost axis last. */
#include "plan/grid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "records/set.h"

static const char *const names[PLAN_TALKING] = {"tp", "cp", "dp", "pp", "ep"};

const char *plan_axis_name(enum plan_axis axis) {
    return names[axis];
}

int plan_axis_ranks(const struct plan_layout *l, enum plan_axis axis) {
    const int ranks[PLAN_AXES] = {l->tp, l->cp, l->dp, l->pp};
    return ranks[axis];
}

int plan_axis_talking(const struct plan_layout *l, enum plan_axis axis) {
    if (axis == PLAN_EP) return plan_layout_expert_ranks(l);
    return axis == PLAN_DP ? plan_layout_replicas(l) : plan_axis_ranks(l, axis);
}

/* The axis that is so far from the innermost. */
static enum plan_axis axis_at(const struct plan_layout *l, int i) {
    return (enum plan_axis)(l->order[0] == l->order[1] ? i : l->order[i]);
}

struct plan_place plan_grid_place(const struct plan_layout *l, int rank) {
    struct plan_place place;
    for (int i = 0; i < PLAN_AXES; i++) {
        const enum plan_axis axis = axis_at(l, i);
        place.at[axis] = rank % plan_axis_ranks(l, axis);
        rank /= plan_axis_ranks(l, axis);
    }
    return place;
}

int plan_grid_rank(const struct plan_layout *l, const struct plan_place *place) {
    int rank = 0;
    for (int i = PLAN_AXES; i-- > 0;) rank = rank * plan_axis_ranks(l, axis_at(l, i)) + place->at[axis_at(l, i)];
    return rank;
}

int plan_grid_replica(const struct plan_layout *l, const struct plan_place *place) {
    return place->at[PLAN_DP] * l->cp + place->at[PLAN_CP];
}

int plan_grid_expert(const struct plan_layout *l, const struct plan_place *place) {
    return plan_grid_replica(l, place) % plan_layout_expert_ranks(l);
}
int plan_grid_expert_replica(const struct plan_layout *l, const struct plan_place *place) {
    return plan_grid_replica(l, place) / plan_layout_expert_ranks(l);
}

int plan_grid_stage_rank(const struct plan_layout *l, int stage) {
    return plan_grid_rank(l, &(struct plan_place){.at[PLAN_PP] = stage});
}

int plan_grid_fill(struct plan_layout *l, int world, struct base_error *e) {
    static const enum plan_axis axes[] = {PLAN_TP, PLAN_CP, PLAN_PP};
    const long long least = (long long)l->tp * l->cp * l->pp;
    char before[64] = "";
    int left = world;
    for (int i = 0; i < 3; i++) {
        const int ranks = plan_axis_ranks(l, axes[i]);
        const char *const name = names[axes[i]];
        int fits = ranks < left ? ranks : left;
        while (left % fits) fits--;
        if (fits != ranks)
            return base_fail(
                e, BASE_USAGE, "--%s %d does not divide the %d rank%s%s%s; take --%s %d, or a multiple of %lld ranks",
                name, ranks, left, left == 1 ? "" : "s", *before ? " left by" : "", before, name, fits, least);
        if (ranks > 1) snprintf(before + strlen(before), sizeof before - strlen(before), " --%s %d", name, ranks);
        left /= ranks;
    }
    l->dp = left;
    return BASE_OK;
}

int plan_grid_order(struct plan_layout *l, const char *text, struct base_error *e) {
    bool has[PLAN_AXES] = {false};
    int count = 0;
    const char *at = text;
    for (bool more = true; more; at += 2 + more) {
        int axis = 0;
        while (axis < PLAN_AXES && strncmp(at, names[axis], 2) != 0) axis++;
        if (axis == PLAN_AXES || has[axis] || (at[2] && at[2] != '-'))
            return base_fail(e, BASE_USAGE,
                             "--order \"%.40s\": give each of tp, cp, dp and pp once, the innermost first, as in "
                             "tp-cp-dp-pp; an axis of one rank may be left out",
                             text);
        has[axis] = true, more = at[2];
        l->order[count++] = (short)axis;
    }
    for (int axis = 0; axis < PLAN_AXES; axis++) {
        if (has[axis]) continue;
        if (plan_axis_ranks(l, (enum plan_axis)axis) > 1)
            return base_fail(e, BASE_USAGE,
                             "--order \"%.40s\" lacks %s, which has %d ranks; name each axis of several ranks", text,
                             names[axis], plan_axis_ranks(l, (enum plan_axis)axis));
        l->order[count++] = (short)axis;
    }
    return BASE_OK;
}

void plan_grid_order_text(const struct plan_layout *l, char text[32]) {
    bool usual = true;
    int before = -1;
    text[0] = 0;
    for (int i = 0; i < PLAN_AXES; i++) {
        const enum plan_axis axis = axis_at(l, i);
        if (plan_axis_ranks(l, axis) == 1) continue;
        snprintf(text + strlen(text), 32 - strlen(text), "%s%s", *text ? "-" : "", names[axis]);
        usual = usual && (int)axis > before, before = (int)axis;
    }
    if (usual) text[0] = 0;
}

/* A rank's number among those that it talks to, and the place of number i of them. */
static int number_of(const struct plan_layout *l, enum plan_axis axis, const struct plan_place *place) {
    if (axis == PLAN_EP) return plan_grid_expert(l, place);
    return axis == PLAN_DP ? plan_grid_replica(l, place) : place->at[axis];
}
static struct plan_place place_of(const struct plan_layout *l, enum plan_axis axis, struct plan_place place, int i) {
    const int before = axis == PLAN_EP ? plan_grid_replica(l, &place) - plan_grid_expert(l, &place) : 0;
    if (axis == PLAN_EP || axis == PLAN_DP)
        place.at[PLAN_DP] = (before + i) / l->cp, place.at[PLAN_CP] = (before + i) % l->cp;
    else
        place.at[axis] = i;
    return place;
}

/* The most nodes that a group of an axis is on. seen[world]: of each node, the group that was last met there. */
static int group_nodes(const struct plan_layout *l, enum plan_axis axis, const int *node, int *seen) {
    const int world = plan_layout_world(l);
    int most = 0;
    for (int r = 0; r < world; r++) seen[r] = -1;
    for (int first = 0; first < world; first++) {
        const struct plan_place place = plan_grid_place(l, first);
        int count = 0;
        if (number_of(l, axis, &place)) continue;
        for (int i = 0; i < plan_axis_talking(l, axis); i++) {
            const struct plan_place other = place_of(l, axis, place, i);
            int *group = &seen[node[plan_grid_rank(l, &other)]];
            count += *group != first;
            *group = first;
        }
        most = count > most ? count : most;
    }
    return most;
}

json_t *plan_grid_record(const struct plan_layout *l, const int *node) {
    const int world = plan_layout_world(l);
    int *seen = malloc((size_t)world * sizeof *seen);
    if (world == 1 || world > PLAN_RANKS_LISTED || !seen) {
        free(seen);
        return NULL;
    }
    json_t *all = json_object(), *ranks = json_array(), *groups = json_object();
    for (int r = 0; r < world; r++) {
        const struct plan_place place = plan_grid_place(l, r);
        json_t *o = json_object();
        record_set_integer(o, "rank", r);
        if (node) record_set_integer(o, "node", node[r]);
        for (int a = 0; a < PLAN_AXES; a++)
            if (plan_axis_ranks(l, (enum plan_axis)a) > 1) record_set_integer(o, names[a], place.at[a]);
        if (plan_layout_expert_ranks(l) > 1) record_set_integer(o, names[PLAN_EP], plan_grid_expert(l, &place));
        json_array_append_new(ranks, o);
    }
    for (int a = 0; a < PLAN_TALKING && node; a++)
        if (plan_axis_talking(l, (enum plan_axis)a) > 1)
            record_set_integer(groups, names[a], group_nodes(l, (enum plan_axis)a, node, seen));
    record_set(all, "ranks", ranks);
    if (node) record_set(all, "group_nodes", json_incref(groups));
    json_decref(groups);
    free(seen);
    return all;
}
