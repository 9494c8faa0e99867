/* SPDX-License-Identifier: Apache-2.0
 *
 * What is priced: a model, its layout, how its framework behaves, and the few facts of a machine that matter. Published
 * runs and command lines both become a job. It holds no seconds and no fitted parameters. */
#ifndef TOISE_COSTMODEL_JOB_H
#define TOISE_COSTMODEL_JOB_H

#include "machine/classes.h"
#include "plan/layout.h"

enum cost_framework {
    COST_MEGATRON,      /* Megatron-LM and Megatron-DeepSpeed */
    COST_MEGATRON_CORE, /* and NeMo */
    COST_FSDP,          /* PyTorch */
    COST_XLA,           /* JAX: MaxText, Pax */
    COST_HUGGINGFACE,   /* Transformers with DeepSpeed */
    COST_INTERNEVO,
    COST_FRAMEWORKS
};

/* What the matmuls of layers are computed in. Attention, router, head and sums stay at 16 bits or more. */
enum cost_precision {
    COST_16BIT,
    COST_FP8,       /* one scale a tensor */
    COST_FP8_BLOCK, /* a scale for each row or block of 32 to 128 elements: row-wise, blockwise, MXFP8 */
    COST_FP4,       /* NVFP4 */
    COST_PRECISIONS
};

/* What is trained, and in which precision: jobs that are scored together, and whose errors resemble each other. */
enum cost_kind {
    COST_DENSE_16,
    COST_EXPERTS_16,
    COST_DENSE_8,
    COST_EXPERTS_8,
    COST_4, /* either, in FP4 */
    COST_KINDS
};

/* How rows go to experts. */
enum cost_dispatcher {
    COST_DISPATCH_UNKNOWN,
    COST_DISPATCH_PLAIN, /* all-to-all with a copy for each expert */
    COST_DISPATCH_ONCE,  /* a copy for each rank, and over the network for each node: DeepEP */
    COST_DISPATCH_FUSED, /* the same by domains, with the sorting in its kernels: HybridEP */
    COST_DISPATCHERS
};

/* How the framework behaves. cost_traits_default() fills what follows from its name. */
struct cost_traits {
    enum cost_framework framework;
    bool flash;       /* fused attention: only the causal half is computed, scores are never stored */
    bool early_stop;  /* recompute stops before a layer's last matmul */
    bool blocking;    /* CUDA_LAUNCH_BLOCKING=1: no overlap, and extra time for each pass */
    bool slots;       /* embedding and head each take a layer's place in the pipeline */
    bool tied;        /* first and last stage all-reduce the embedding's gradient */
    bool fp32;        /* stored in FP32, computed in TF32 */
    bool older_flash; /* fused attention by kernels older than the accelerator */
    bool eager;       /* elementwise passes are not fused */
    bool deepspeed;   /* ZeRO-3 gathers tensor by tensor, not overlapped */
    bool local_shard; /* ZeRO-1 shards inside the node */
    bool overlap_dp, overlap_tp;
    bool async_tp; /* backward's all-reduce overlaps the weight gradient's matmul */
    enum cost_precision precision;
    enum cost_dispatcher dispatcher;
    bool capacity;    /* tokens beyond a capacity are dropped: experts have as many rows each, which the host knows */
    bool overlap_ep;  /* another micro-batch's compute overlaps rows on their way to experts */
    bool even_stages; /* layers, embedding and head are placed so that stages are as even as can be */
    bool keeps_attention; /* selective recomputation leaves out attention */
    bool frozen;          /* base weights are not trained (LoRA): no gradients of theirs */
    double graphs;        /* share of a layer's launches that CUDA graphs replay; NAN: unknown */
    double busiest;       /* rows of the busiest rank's experts over the mean */
    double gather_bytes;  /* bytes of a weight that is gathered: weight_bytes, or 1 in FP8 */
    double zero_group;    /* ranks among which ZeRO-3 shards the weights */
    double weight_bytes;  /* bytes of a stored parameter and of an activation: 2 or 4 */
    double grad_bytes;    /* bytes of a reduced gradient */
    double sum_bytes;     /* bytes of a separate sum over micro-batches (DeepSpeed with BF16); 0: none */
};

enum cost_fabric { COST_INFINIBAND, COST_ROCE, COST_OMNIPATH };

/* One accelerator and its node. Bandwidths are bytes/s one way, FLOP/s are dense. */
struct cost_platform {
    const struct machine_class *class;
    enum cost_fabric fabric;
    double peak_flop_per_s;                          /* 16-bit */
    double peak_fp8_flop_per_s, peak_fp4_flop_per_s; /* 0: it has none */
    double power_w;                                  /* 0: unknown */
    double fp32_flop_per_s;                          /* vector FP32 */
    double tf32_share;                               /* share of the peak with FP32 storage */
    double matmul_share; /* share of the peak that large matmuls get; used where the class has none */
    double memory_bytes, memory_bytes_per_s;
    double units;                    /* compute units (SMs); 0: no tile quantisation */
    double link_bytes_per_s;         /* inside a node, achieved */
    double link_nominal_bytes_per_s; /* the same by the data sheet */
    bool pairwise;                   /* links go directly to each peer, not to a switch */
    double node_accelerators;
    double domain;           /* accelerators of the scale-up domain; at least a node */
    double node_bytes_per_s; /* nominal, into the network */
    double node_share;       /* achieved share of it, used where no run on such a machine was fitted; 0: unknown */
};

struct cost_job {
    struct model_config model;
    struct plan_layout layout;
    struct plan_batch batch;
    double accelerators;
    struct cost_traits traits;
    struct cost_platform platform;
};

/* Sizes of a job. They are doubles because a shard need not be whole.
 * Tokens of a micro-batch on one rank. */
double cost_job_tokens(const struct cost_job *job);
/* FLOP/s of the peak in the job's precision. */
double cost_job_peak(const struct cost_job *job);
/* Widths of the queries, keys and values together, and of the attention's output, on one tensor parallel rank. */
double cost_job_qkv(const struct cost_job *job);
double cost_job_attention(const struct cost_job *job);
/* Matmul parameters of a layer on a rank: attention, router, and the MLPs that it holds. Every tensor parallel rank
 * holds the whole router. */
double cost_job_layer_parameters(const struct cost_job *job);
/* The experts' part of those; 0 for a dense model. Fewer data parallel ranks hold copies of it. */
double cost_job_expert_parameters(const struct cost_job *job);
/* Share of the s x s scores that causal queries see: 1/2. With a window of w positions: (w s - w^2 / 2) / s^2. */
double cost_job_attended(const struct cost_job *job);
/* Parameters of the vocabulary's table on a tensor parallel rank. */
double cost_job_table_parameters(const struct cost_job *job);
/* The dispatcher. One that is unknown is what suits the machine: fused in a domain of many nodes, one copy a node where
 * experts are in several, else plain. */
enum cost_dispatcher cost_job_dispatcher(const struct cost_job *job);
/* Experts of a layer that a rank holds. 1 for a dense model. */
double cost_job_experts_held(const struct cost_job *job);
/* Rows of each expert: t k EP ETP / (TP E), for t tokens, k of E experts active and balanced routing. */
double cost_job_expert_rows(const struct cost_job *job);
/* Tokens that a rank sends to experts: t, or t / TP with sequence parallelism. */
double cost_job_routed_tokens(const struct cost_job *job);

enum cost_kind cost_job_kind(const struct cost_job *job);
const char *cost_kind_name(enum cost_kind kind); /* "dense-bf16" */
const char *cost_framework_name(enum cost_framework framework);
bool cost_framework_find(const char *name, enum cost_framework *framework);
const char *cost_fabric_name(enum cost_fabric fabric);
/* Traits that follow from the framework, the shape and the layout. The others become false, or 2 bytes. */
void cost_traits_default(const struct cost_job *job, enum cost_framework framework, struct cost_traits *traits);

#endif
