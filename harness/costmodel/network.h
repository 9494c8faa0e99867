/* SPDX-License-Identifier: Apache-2.0
 *
 * What messages take: bandwidth that is achieved, a latency for every hop, and one law for whatever runs beside
 * something else. Ranks are placed as Megatron does: tensor and context parallel ones innermost, then data parallel
 * ones (of which expert parallel ones are neighbours), then the pipeline. Seconds, bytes. */
#ifndef TOISE_COSTMODEL_NETWORK_H
#define TOISE_COSTMODEL_NETWORK_H

#include "costmodel/job.h"
#include "costmodel/parameters.h"
#include "costmodel/step.h"

/* Bytes/s that the job's machine achieves, one way. */
struct cost_links {
    double domain;      /* ranks that share the links inside */
    double inside;      /* of an accelerator, into its domain */
    double node, group; /* of a domain into the network: all groups together; one group at most */
    double spread;      /* bandwidth falls as (nodes / 4)^-spread: Omni-Path */
    double alpha, alpha_inside;
    double interference; /* of the law below */
    double pairwise;     /* accelerators among which the links are shared out; 0: not */
    bool overlap;
};

/* Ranks that talk: so many on each of so many domains; `sharing` such groups use a domain's network at a time. */
struct cost_group {
    double ranks, nodes, sharing;
    double share; /* of the links inside: 1, or less where they are shared out among peers that are not in the group */
};

enum cost_collective { COST_SCATTER = 1, COST_ALL_REDUCE = 2 }; /* all-gather or reduce-scatter; both */

void cost_links_fill(const struct cost_job *job, const struct cost_parameters *p, const struct cost_ablation *ablation,
                     struct cost_links *links);
struct cost_group cost_group_tensor(const struct cost_job *job, const struct cost_links *links);
struct cost_group cost_group_data(const struct cost_job *job, const struct cost_links *links);
/* Ranks that share out the weights under ZeRO-3: data parallel ones, or some of them. */
struct cost_group cost_group_zero3(const struct cost_job *job, const struct cost_links *links);

/* Neighbours among the data parallel ranks that share out a layer's experts; those, EP apart, that hold the same ones
 * and sum their gradients; and of these the ones that share out the experts' weights under ZeRO-3. */
struct cost_group cost_group_expert(const struct cost_job *job, const struct cost_links *links);
struct cost_group cost_group_expert_data(const struct cost_job *job, const struct cost_links *links);
struct cost_group cost_group_expert_zero3(const struct cost_job *job, const struct cost_links *links);

/* `bytes` are the whole buffer's, which every rank ends or begins with. Rings inside; over nodes an all-reduce is a
 * tree, gathers and scatters are rings. pieces: messages that it is cut into, each with its latency. */
double cost_collective_s(const struct cost_links *links, const struct cost_group *group, enum cost_collective op,
                         double bytes, double pieces);
/* All-to-all: each rank has `bytes`, an equal part for every rank of the group's `ranks` x `nodes` = P, its own among
 * them, as balanced routing has it. Into its domain go bytes (ranks - 1) / P at the rate inside, over nodes bytes
 * (P - ranks) / P at the rate of a domain that all its ranks share; both at the same time, so the longer counts. And
 * alpha for every peer, inside and outside. That all nodes talk to all at once slows it no further here. */
double cost_all_to_all_s(const struct cost_links *links, const struct cost_group *group, double bytes);
/* Activations of a micro-batch from one pipeline stage to the next: each rank sends its share, and where there is no
 * sequence parallelism the receivers gather the whole. */
double cost_hop_s(const struct cost_job *job, const struct cost_links *links);

/* What is left of x beside y: what is exposed, and a share of the rest, since both use the same memory and units. */
double cost_exposed_s(const struct cost_links *links, double x, double y);

#endif
