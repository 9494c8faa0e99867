/* SPDX-License-Identifier: Apache-2.0
 *
 * What no data sheet says: achieved shares of bandwidth, costs of frameworks and fabrics, and traits of device classes.
 * No parameter belongs to a single run. Each has a prior, from calibration measurements or common knowledge. The
 * command `toise validate --fit` fits them to published runs. Without runs they keep their priors. SI units. */
#ifndef TOISE_COSTMODEL_PARAMETERS_H
#define TOISE_COSTMODEL_PARAMETERS_H

#include "machine/classes.h"

/* P(name, prior, standard deviation of the prior's logarithm, meaning and where the prior comes from) */
#define COST_PARAMETER_LIST(P)                                                                                         \
    P(k0, 128, 0.70, "elements of k that a tile's prologue and epilogue cost")                                         \
    P(align, 0.93, 0.07, "efficiency for every factor of two that n or k lacks to 64")                                 \
    P(tc8, 0.8, 0.30, "batched matmuls with a size that is no multiple of 8: share of the FP32 peak")                  \
    P(memory, 0.8, 0.10, "achieved share of memory bandwidth")                                                         \
    P(pass_fused, 1, 0.20, "bytes of elementwise passes over the fused count: Megatron, XLA, torch.compile")           \
    P(pass_eager, 1.4, 0.30, "the same, eager PyTorch with flash attention")                                           \
    P(pass_hf, 4, 0.40, "the same, Hugging Face Transformers, softmax included")                                       \
    P(blocking, 0.001, 0.70, "seconds that CUDA_LAUNCH_BLOCKING=1 adds to a pass of a layer")                          \
    P(alpha, 8e-6, 0.50, "seconds per hop of a ring or level of a tree between nodes")                                 \
    P(opa_spread, 0.327, 0.40, "Omni-Path bandwidth falls as (nodes/4)^-x; 84.7 to 54.2 Gbit/s from 4 to 16 nodes")    \
    P(infiniband, 0.7, 0.25, "InfiniBand: achieved share of nominal bandwidth")                                        \
    P(roce, 0.6, 0.30, "RoCE: achieved share of nominal bandwidth")                                                    \
    P(zero3_cap, 2e10, 0.40, "DeepSpeed's ZeRO-3 across nodes: bytes/s that a rank gathers")                           \
    P(interference, 0.25, 0.40, "share of the shorter of two overlapped activities that is paid nonetheless")          \
    P(iteration, 0.02, 0.50, "seconds per iteration for data, gradient norm, logging")                                 \
    P(power, 0.4, 0.40, "clocks go as a chip's power to this exponent, against others of its class")                   \
    P(quantise, 1, 0.50, "bytes of passes that quantise to FP8, one scale a tensor, over 4 an element")                \
    P(quantise_block, 1.5, 0.50, "the same with a scale for each block or row")                                        \
    P(quantise_fp4, 2, 0.50, "the same of NVFP4")                                                                      \
    P(grouped, 300, 0.70, "elements of m, n and k that each expert's matmul loses in a launch with others")            \
    P(routing, 1, 0.50, "bytes of passes that route rows, over the count")                                             \
    P(biased, 1.5, 0.50, "bytes of passes that add experts' biases and clamp them, over the count")                    \
    P(host, 250e-6, 0.30, "CPU seconds to launch a layer's pass: about 25 kernels of 10 us")                           \
    P(host_plain, 2e-3, 0.70, "CPU seconds more with experts: a copy for each, or a dispatcher that is not stated")    \
    P(host_capacity, 5e-4, 0.70, "the same where experts have as many rows each, and tokens beyond are dropped")       \
    P(host_once, 2e-3, 0.70, "the same with a copy for each rank (DeepEP)")                                            \
    P(host_fused, 2e-3, 0.70, "the same with sorting in the dispatcher's kernels (HybridEP)")                          \
    P(all_to_all, 0.6, 0.40, "plain all-to-all inside a domain: share of what all-reduces achieve")                    \
    P(dispatch, 0.8, 0.40, "DeepEP and HybridEP inside a domain: the same")                                            \
    P(all_to_all_far, 0.8, 0.30, "rows to other domains: share of the nominal bandwidth")                              \
    P(hidden, 0.5, 0.50, "share of the shorter that is paid where another micro-batch overlaps rows of experts")

enum cost_parameter {
#define P(name, prior, sd, meaning) COST_P_##name,
    COST_PARAMETER_LIST(P)
#undef P
        COST_PARAMETERS, /* of this list; the device classes' follow */
    COST_PARAMETERS_MOST = COST_PARAMETERS + MACHINE_PRIORS
};

struct cost_parameters {
    const struct machine_classes *classes;
    double value[COST_PARAMETERS_MOST];
    double sd[COST_PARAMETERS_MOST]; /* standard deviation of the logarithm: of the prior, or after a fit */
};

/* Sets the priors. BASE_USAGE: the catalogue's device classes cannot be read. */
int cost_parameters_prior(struct cost_parameters *p, struct base_error *e);

struct cost_parameter_info {
    const char *name, *meaning;
    double prior, sd;
};
int cost_parameters_count(const struct cost_parameters *p);
struct cost_parameter_info cost_parameters_info(const struct cost_parameters *p, int index);

/* Value of a trait. The class must have it: see machine_class_has(). */
double cost_parameters_trait(const struct cost_parameters *p, const struct machine_class *class,
                             enum machine_trait trait);

#endif
