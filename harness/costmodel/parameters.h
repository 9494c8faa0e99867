/* SPDX-License-Identifier: Apache-2.0
 *
 * What the projection knows that no data sheet says: efficiencies of device families, costs of frameworks, achieved
 * shares of fabrics. None belongs to a run. Each has a prior, from calibration measurements or common knowledge, and
 * is fitted by `toise validate --fit` on published runs; a family without runs keeps its prior. SI units. */
#ifndef TOISE_COSTMODEL_PARAMETERS_H
#define TOISE_COSTMODEL_PARAMETERS_H

#include "base/error.h"

/* P(name, prior, standard deviation of the prior's logarithm, meaning and where the prior comes from) */
#define COST_PARAMETER_LIST(P)                                                                                         \
    P(g_v100, 0.75, 0.15, "V100: share of peak of large matmuls; no calibration, A100's less 12%")                     \
    P(g_a100, 0.87, 0.05, "A100: share of peak of large matmuls; best measured 271 of 312 TFLOP/s")                    \
    P(g_h100, 0.75, 0.08, "H100: share of peak of large matmuls; best measured 795 of 989, less 6% for the power cap") \
    P(g_gb200, 0.62, 0.10, "GB200: share of peak; best measured 1822 of 2500, times 0.85 as H100 fits to calibrates")  \
    P(link_jz_v100, 6e10, 0.80,                                                                                        \
      "Jean Zay's V100 node of 4: bytes/s of a step's all-reduces; 124e9 at 4 GB, 44e9 at 4 MiB")                      \
    P(k0, 128, 0.70, "elements of k that a tile's prologue and epilogue cost")                                         \
    P(align, 0.93, 0.07, "efficiency for every factor of two that n or k lacks to 64")                                 \
    P(tc8, 0.8, 0.30, "batched matmuls with a size that is no multiple of 8: share of the FP32 peak")                  \
    P(memory, 0.8, 0.10, "achieved share of memory bandwidth")                                                         \
    P(flash_a100, 0.45, 0.20, "flash attention on V100 and A100: share of peak")                                       \
    P(flash_h100_old, 0.28, 0.25, "flash attention on H100 with kernels older than it: share of peak")                 \
    P(flash_hopper, 0.5, 0.20, "flash attention on H100 and later with its own kernels: share of peak")                \
    P(pass_fused, 1, 0.20, "bytes of elementwise passes over the fused count: Megatron, XLA, torch.compile")           \
    P(pass_eager, 1.4, 0.30, "the same, eager PyTorch with flash attention")                                           \
    P(pass_hf, 4, 0.40, "the same, Hugging Face Transformers, softmax included")                                       \
    P(blocking, 0.001, 0.70, "seconds that CUDA_LAUNCH_BLOCKING=1 adds to a pass of a layer")                          \
    P(alpha, 8e-6, 0.50, "seconds per hop of a ring or level of a tree between nodes")                                 \
    P(opa_v100_node, 1e10, 0.40, "Omni-Path, V100 node: bytes/s of all groups together")                               \
    P(opa_v100_group, 8.5e9, 0.30, "the same, one group alone; measured 54 to 85 Gbit/s")                              \
    P(opa_a100_node, 1e10, 0.40, "Omni-Path, A100 node: bytes/s of all groups together")                               \
    P(opa_a100_group, 5e9, 0.20, "the same, one group alone; measured 40 Gbit/s")                                      \
    P(opa_spread, 0.327, 0.40, "Omni-Path bandwidth falls as (nodes/4)^-x; 84.7 to 54.2 Gbit/s from 4 to 16 nodes")    \
    P(infiniband, 0.7, 0.25, "InfiniBand: achieved share of nominal bandwidth")                                        \
    P(roce, 0.6, 0.30, "RoCE: achieved share of nominal bandwidth")                                                    \
    P(zero3_cap, 2e10, 0.40, "DeepSpeed's ZeRO-3 across nodes: bytes/s that a rank gathers")                           \
    P(interference, 0.25, 0.40, "share of the shorter of two overlapped activities that is paid nonetheless")          \
    P(iteration, 0.02, 0.50, "seconds per iteration for data, gradient norm, logging")

enum cost_parameter {
#define P(name, prior, sd, meaning) COST_P_##name,
    COST_PARAMETER_LIST(P)
#undef P
        COST_PARAMETERS
};

struct cost_parameters {
    double value[COST_PARAMETERS];
    double sd[COST_PARAMETERS]; /* of the logarithm: the prior's, or what is left of it after a fit */
};

struct cost_parameter_info {
    const char *name, *meaning;
    double prior, sd;
};
extern const struct cost_parameter_info cost_parameter_infos[COST_PARAMETERS];

void cost_parameters_prior(struct cost_parameters *p);

#endif
