/* SPDX-License-Identifier: Apache-2.0
 *
 * A mixture of experts in place of a layer's MLP (Shazeer et al. 2017), as in Mixtral (Jiang et al. 2024). The router
 * gives each token a score of each expert; the token passes the `active` ones of the largest scores, whose results are
 * added with weights. No token is dropped. A row is one token for one expert: rows are sorted by expert, and expert
 * parallel ranks exchange them (Lepikhin et al. 2021). A row's weight is applied before the expert's second matmul,
 * which is linear, so that rows that come back are only added.
 *
 * The load-balancing loss of a layer and a sequence of S tokens is weight * experts * sum over e of f_e P_e (Fedus et
 * al. 2021): f_e is the number of rows of expert e over S, P_e the mean probability of e. The training's loss gains its
 * sum over layers, as a mean over sequences; so it does not depend on the layout. (transformers takes the mean over all
 * layers' tokens of a batch, Megatron's "seq_aux_loss" divides by `active` too.)
 *
 * In place of that loss, a router of sigmoids has a bias for each expert, by which experts are chosen and not weighed
 * (Wang et al. 2024). After a step it grows where an expert got fewer rows than the mean, and shrinks where it got more
 * (parallel/optimizer.h). Shared experts are an MLP that all tokens pass. */
#ifndef TOISE_MODEL_EXPERTS_H
#define TOISE_MODEL_EXPERTS_H

#include <stdbool.h>
#include <stdint.h>

/* Who chooses experts: the router, or a rule that makes loads known. By the rule one expert of each layer, drawn by the
 * seed, gets `skew` times the mean load and all others get the same; of any run of positions, but for a few rows. */
struct model_route {
    bool forced;
    double skew; /* 1: balanced; up to experts / active */
    uint64_t seed;
};

struct model_shape;
/* The expert of choice `j` of the token at `position` of a sequence, by the rule. */
int32_t model_route_forced(const struct model_route *route, int64_t experts, int64_t active, int64_t layer,
                           int64_t position, int64_t j);
/* What the busiest of the ranks that share out experts computes, over the mean: 1 if the router chooses, whose loads
 * are not known before. */
double model_route_busiest(const struct model_route *route, int64_t experts, int64_t ranks);
/* The most rows that this rank's experts may get of a micro-batch. */
int64_t model_expert_rows(const struct model_shape *shape);

#endif
