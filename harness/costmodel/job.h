/* SPDX-License-Identifier: Apache-2.0
 *
 * What is priced: a model, how it is laid out, how its framework behaves, and the few facts of a machine that the price
 * depends on. Published runs and command lines both become this. */
#ifndef TOISE_COSTMODEL_JOB_H
#define TOISE_COSTMODEL_JOB_H

#include "machine/classes.h"
#include "plan/layout.h"

enum cost_framework {
    COST_MEGATRON,      /* Megatron-LM and Megatron-DeepSpeed */
    COST_MEGATRON_CORE, /* and NeMo */
    COST_FSDP,          /* PyTorch's */
    COST_XLA,           /* JAX: MaxText, Pax */
    COST_HUGGINGFACE,   /* Transformers with DeepSpeed */
    COST_INTERNEVO,
    COST_FRAMEWORKS
};

/* How the software behaves; cost_traits_default fills what follows from the framework. */
struct cost_traits {
    enum cost_framework framework;
    bool flash;       /* fused attention: scores never stored, the causal half alone computed */
    bool early_stop;  /* recomputation stops before a layer's last matmul */
    bool blocking;    /* CUDA_LAUNCH_BLOCKING=1: no overlap, and time for each pass */
    bool slots;       /* embedding and head take a pipeline slot each, as layers do */
    bool tied;        /* first and last stage sum the embedding's gradient */
    bool fp32;        /* stored in FP32, computed in TF32 */
    bool eager;       /* elementwise passes are not fused */
    bool deepspeed;   /* ZeRO-3 gathers tensor by tensor, not overlapped */
    bool local_shard; /* ZeRO-1 shards inside the node */
    bool overlap_dp, overlap_tp;
    bool async_tp;       /* backward's all-reduce beside the weight gradient's matmul */
    double zero_group;   /* ranks that share out the weights under ZeRO-3 */
    double weight_bytes; /* of a stored parameter and of an activation: 2, or 4 */
    double grad_bytes;   /* of a reduced gradient */
    double sum_bytes;    /* of its sum over micro-batches, where that is kept beside it (DeepSpeed with BF16); else 0 */
};

enum cost_fabric { COST_INFINIBAND, COST_ROCE, COST_OMNIPATH };

/* Of one accelerator and its node, bytes/s one way, FLOP/s dense. */
struct cost_platform {
    const struct machine_class *class;
    enum cost_fabric fabric;
    double peak_flop_per_s, fp32_flop_per_s; /* 16-bit; vector FP32 */
    double tf32_share;                       /* of the peak, for FP32 storage */
    double matmul_share;                     /* of the peak that large matmuls get, where its class does not say */
    double memory_bytes, memory_bytes_per_s, units;
    double link_bytes_per_s, link_nominal_bytes_per_s; /* inside a node: achieved, and by the data sheet */
    bool pairwise;                                     /* links shared out among peers */
    double node_accelerators, domain;                  /* of a node; of the scale-up domain, at least a node */
    double node_bytes_per_s;                           /* nominal, into the network */
    double node_share; /* of it that is achieved, where measured on another fabric than fitted; 0: not */
};

struct cost_job {
    struct model_config model;
    struct plan_layout layout;
    struct plan_batch batch;
    double accelerators;
    struct cost_traits traits;
    struct cost_platform platform;
};

/* Sizes of a job; doubles, since a shard need not be whole. Tokens of a micro-batch on one rank, and the widths that a
 * tensor parallel rank has. */
double cost_job_tokens(const struct cost_job *job);
double cost_job_qkv(const struct cost_job *job);
double cost_job_attention(const struct cost_job *job);
/* Matmul parameters of a layer on a rank: attention, router and the rank's own MLPs; its MLPs alone, where they are
 * experts, which fewer data parallel ranks hold alike (else 0). The router is on every tensor parallel rank. */
double cost_job_layer_parameters(const struct cost_job *job);
double cost_job_expert_parameters(const struct cost_job *job);
/* Of the square of a sequence's positions, the share that causal queries see: 1/2, or within a window of w of s
 * positions (w s - w^2 / 2) / s^2. */
double cost_job_attended(const struct cost_job *job);
/* Of the vocabulary's table, on a tensor parallel rank. */
double cost_job_table_parameters(const struct cost_job *job);
/* Experts of a layer that a rank holds, and the rows that each works on: with tokens t, k of E active and balanced
 * routing, t k EP / E. */
double cost_job_experts_held(const struct cost_job *job);
double cost_job_expert_rows(const struct cost_job *job);
/* Rows of tokens that a rank has routed where they are not the tensor parallel ranks' together: t k, over TP with
 * sequence parallelism. */
double cost_job_routed_rows(const struct cost_job *job);

const char *cost_framework_name(enum cost_framework framework);
bool cost_framework_find(const char *name, enum cost_framework *framework);
const char *cost_fabric_name(enum cost_fabric fabric);
/* Everything that follows from the framework, the shape and the layout; what does not is false, or 2 bytes. */
void cost_traits_default(const struct cost_job *job, enum cost_framework framework, struct cost_traits *traits);

#endif
