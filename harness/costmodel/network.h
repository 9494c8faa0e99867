/* SPDX-License-Identifier: Apache-2.0
 *
 * The time that messages take. Each link has its achieved bandwidth, each hop a latency. One rule prices all overlap.
 * Ranks are placed as in Megatron: tensor and context parallel innermost, then data parallel, then the pipeline. Expert
 * parallel ranks are neighbours among the data parallel ones. Contention between collectives is not priced. Units are
 * seconds and bytes. */
#ifndef TOISE_COSTMODEL_NETWORK_H
#define TOISE_COSTMODEL_NETWORK_H

#include "costmodel/job.h"
#include "costmodel/parameters.h"
#include "costmodel/step.h"

/* What the job's machine achieves: bytes/s one way, and seconds of latency. */
struct cost_links {
    double domain;          /* accelerators of a scale-up domain */
    double inside;          /* bandwidth of an accelerator into its domain */
    double node;            /* bandwidth of a domain into the network, for all groups together */
    double group;           /* the same for one group, at most */
    double spread;          /* Omni-Path: bandwidth falls as (nodes / 4)^-spread; 0: it does not */
    double alpha;           /* latency of a hop between domains */
    double alpha_inside;    /* latency of a hop inside a domain */
    double interference;    /* share of the shorter of two overlapped activities that is exposed */
    double plain, dispatch; /* shares of the bandwidth inside that all-to-all gets, and dispatchers */
    double far;             /* bandwidth of a domain into the network for rows of experts */
    double pairwise;        /* accelerators of a node whose links go directly to each peer; 0: a switch */
    bool overlap;
};

/* A group of communicating ranks: `ranks` in each of `nodes` domains. */
struct cost_group {
    double ranks, nodes;
    double sharing; /* such groups that use a domain's network at the same time */
    double share;   /* usable share of the links inside; below 1 where some lead to peers outside the group */
};

/* The value counts rounds of a ring: an all-gather or a reduce-scatter is one, an all-reduce two. */
enum cost_collective { COST_SCATTER = 1, COST_ALL_REDUCE = 2 };

void cost_links_fill(const struct cost_job *job, const struct cost_parameters *p, const struct cost_ablation *ablation,
                     struct cost_links *links);
struct cost_group cost_group_tensor(const struct cost_job *job, const struct cost_links *links);
struct cost_group cost_group_data(const struct cost_job *job, const struct cost_links *links);
/* Ranks among which ZeRO-3 shards the weights: all data parallel ranks, or some of them. */
struct cost_group cost_group_zero3(const struct cost_job *job, const struct cost_links *links);

struct cost_group cost_group_context(const struct cost_job *job, const struct cost_links *links);
/* Neighbouring ranks that share out a layer's experts. */
struct cost_group cost_group_expert(const struct cost_job *job, const struct cost_links *links);
/* Ranks, EP apart, that hold the same experts and reduce their gradients. */
struct cost_group cost_group_expert_data(const struct cost_job *job, const struct cost_links *links);
/* Those of them among which ZeRO-3 shards the experts' weights. */
struct cost_group cost_group_expert_zero3(const struct cost_job *job, const struct cost_links *links);

/* `bytes`: the whole buffer, as every rank holds it before or after. Inside a domain all collectives are rings. Across
 * domains an all-reduce is a tree, the others are rings. `pieces`: messages of the buffer; each pays the latency. */
double cost_collective_s(const struct cost_links *links, const struct cost_group *group, enum cost_collective op,
                         double bytes, double pieces);
/* Sends tokens of `bytes` in all from each rank to the k experts of each, or back; routing is balanced, and the P =
 * ranks x nodes ranks hold as many experts. The plain dispatcher sends k copies of a token. The others send one to each
 * node that has some of its experts, and inside it one to each rank that has (DeepEP: DeepSeek-AI 2024, section 3.2).
 * The part inside a domain and the one between domains overlap, so the longer counts. All ranks of a domain share its
 * network. */
double cost_dispatch_s(const struct cost_links *links, const struct cost_group *group, enum cost_dispatcher dispatcher,
                       double k, double bytes);
/* p2p of one micro-batch's activations to the next pipeline stage. Each tensor parallel rank sends its share; without
 * sequence parallelism the receivers all-gather it. 0 without a pipeline. */
double cost_hop_s(const struct cost_job *job, const struct cost_links *links);

/* Exposed part of x when it overlaps y: what is longer than y, and the share `interference` of the rest. Both compete
 * for the same memory and compute units. Without overlap it is x. */
double cost_exposed_s(const struct cost_links *links, double x, double y);

#endif
