/* SPDX-License-Identifier: Apache-2.0
 *
 * A machine to project on: of the catalogue, of a file like its, of Calculon's systems, or measured by toise. One plain
 * struct, whose accelerator and facility are resolved and whose figures have passed the checks of
 * harness/catalog/README.md. Bytes, seconds, watts, FLOP; rates of links are one way. */
#ifndef TOISE_PROJECT_MACHINE_H
#define TOISE_PROJECT_MACHINE_H

#include <stdint.h>

#include "base/error.h"
#include "project/fact.h"

enum project_dtype {
    PROJECT_FP64,
    PROJECT_FP64_MATRIX,
    PROJECT_FP32,
    PROJECT_TF32,
    PROJECT_FP16,
    PROJECT_BF16,
    PROJECT_FP8,
    PROJECT_DTYPES
};
/* Of a node's accelerators: any pair at full rate; links shared out among peers; through the host; nothing. */
enum project_node_topology { PROJECT_NVSWITCH, PROJECT_DIRECT, PROJECT_PCIE, PROJECT_NONE };
enum project_topology {
    PROJECT_FAT_TREE,
    PROJECT_CLOS,
    PROJECT_DRAGONFLY,
    PROJECT_DRAGONFLY_PLUS,
    PROJECT_HYPERCUBE,
    PROJECT_TORUS
};
enum project_kind { PROJECT_GPU, PROJECT_APU, PROJECT_TPU, PROJECT_ACCELERATOR, PROJECT_CPU };
enum { PROJECT_ROWS = 32, PROJECT_LEVELS = 4 };

/* Something measured: a collective, or the writing of a checkpoint. What its row does not say is NAN. */
struct project_row {
    const char *op; /* all_reduce, all_gather, reduce_scatter, all_to_all, send; checkpoint_save */
    double nodes, accelerators, bytes;
    struct project_fact figure; /* bus bandwidth as nccl-tests derives it, bytes/s; of a checkpoint, seconds */
};
struct project_rows {
    struct project_row row[PROJECT_ROWS];
    int count;
};

/* Share of a peak that an operation gets, by its size: the row of the largest `from` not above the size. */
struct project_shares {
    struct {
        double from, share; /* FLOP or bytes of one operation */
    } row[PROJECT_ROWS];    /* from the largest down */
    int count;
};

struct project_accelerator {
    const char *name, *title, *path; /* path: its file */
    const char *unit;                /* SM, CU, core; NULL: not said */
    enum project_kind kind;
    int devices; /* that the driver shows for it; figures are of the whole */
    struct project_fact peak_flop_per_s[PROJECT_DTYPES], achieved_flop_per_s[PROJECT_DTYPES]; /* the best matmul */
    struct project_fact units, clock_hz, flop_per_cycle[PROJECT_DTYPES];                      /* of one unit */
    struct project_fact memory_bytes; /* INFINITY: no limit, in a file of Calculon's */
    struct project_fact memory_bytes_per_s, l2_bytes, l3_bytes;
    struct project_fact gemm_tiles; /* value: the largest tile's elements; how the list below is known */
    struct {
        int m, n;
    } tiles[PROJECT_ROWS];
    int tile_count;
    struct project_fact launch_s, power_w, host_bytes_per_s;
    struct project_fact links, link_bytes_per_s, scale_up_bytes_per_s; /* all links */
    struct project_rows scale_up_achieved;
    struct project_shares matmul_share[PROJECT_DTYPES], memory_share; /* of Calculon's files */
};

struct project_node {
    struct project_fact accelerators;
    struct project_fact topology;                               /* value: enum project_node_topology */
    struct project_fact scale_up_nodes;                         /* that one NVLink domain spans: 1 or more */
    struct project_fact scale_up_bytes_per_s, pair_bytes_per_s; /* as wired here, where the file says so */
    struct project_fact scale_up_share;                         /* of the bandwidth that messages get; of Calculon */
    struct project_rows achieved;
    struct project_fact rails, rail_bytes_per_s;
    struct project_fact memory_bytes, sockets, cores, power_w;
};

struct project_level {
    const char *name;
    struct project_fact nodes, oversubscription; /* nodes unknown on the last: the machine's */
};

struct project_network {
    const char *technology;       /* as its owner names it; NULL: not said */
    struct project_fact topology; /* value: enum project_topology */
    struct project_fact latency_s;
    struct project_fact share;                   /* of the bandwidth that messages get; of Calculon's files */
    struct project_level levels[PROJECT_LEVELS]; /* from the inside out */
    int level_count;
    struct project_rows achieved;
};

struct project_facility {
    const char *name, *title; /* NULL: none named */
    struct project_fact pue, mean_power_w, peak_power_w;
    struct project_fact storage_read_bytes_per_s, storage_write_bytes_per_s;
    struct project_rows storage_achieved;
};

struct project_cost {
    struct project_fact amount;
    const char *currency, *covers; /* eur, usd, gbp */
};

struct project_queue {
    const char *name;
    double accelerators; /* the most a job may have; NAN: not said */
    struct project_fact wall_s;
};

/* An operation timed by `toise kernels` on one node: the fastest variant of its shape that training runs, which leaves
 * out OpenBLAS and matmuls whose B was packed ahead. Of several launches the median counts, of those in which others
 * took CPU time in a third of the samples only where there are no better: they say how busy a machine was. */
enum { PROJECT_SIZES = 4, PROJECT_REPEATS = 9 };
struct project_point {
    char op[24];                  /* of kernels.h: "gemm", "attention_forward", "adamw" */
    char variant[24];             /* "avx2" */
    char trans[4];                /* of a matmul, "NT"; else "" */
    int64_t sizes[PROJECT_SIZES]; /* m, n, k; b, h, s, d; rows, cols; n; the rest are 1 */
    int64_t window;               /* of attention; 0: no limit */
    bool alibi;
    enum project_dtype dtype;
    int threads;
    double bytes;                    /* of operands read and written once, one call; NAN: not said */
    double call_s, spread;           /* seconds of a call; half-width of their 95% interval, relative */
    bool busy;                       /* others took CPU time */
    double repeats[PROJECT_REPEATS]; /* call_s of each launch, in their order; more than fit are left out */
    int repeat_count;
    double flop_per_s, share;    /* share: of the measured peak; NAN where no FLOP are counted */
    double peak_flop_per_s;      /* medians of the windows between the samples: how the machine was at the time; */
    double bandwidth_byte_per_s; /* NAN: none */
};

/* A sum of gradients timed by `toise comm`; of several launches likewise. */
struct project_message {
    int ranks, nodes, threads;
    double bytes, time_s, spread;
    bool busy;
    double repeats[PROJECT_REPEATS]; /* time_s of each launch */
    int repeat_count;
    double hidden; /* the share of the time that costs the compute beside it nothing; NAN: not measured */
};

/* What ranks of a node keep of their rates alone while all compute, by `toise comm`. */
struct project_crowd {
    int ranks, nodes, threads;
    double matmul, pass;
};

struct project_text; /* a list of strings */

/* A copy of the struct is a machine too, to change with project_machine_set. Copies share texts and what was measured:
 * close one of them, when all are done with. */
struct project_machine {
    const char *name, *title, *country; /* country: the facility's where it has one */
    const char *path;                   /* the file it came from */
    const char *remarks;                /* what its reader assumed or left out; NULL: nothing */
    bool announced;                     /* it does not run yet */
    bool hypothetical;                  /* no result on it is a result on a real machine */
    struct project_fact year, nodes, accelerators, power_w, hpl_flop_per_s;
    struct project_accelerator accelerator;
    struct project_node node;
    struct project_network network;
    struct project_facility facility;
    struct project_cost costs[PROJECT_ROWS];
    struct project_queue queues[PROJECT_ROWS];
    int cost_count, queue_count;
    struct project_point *points; /* [point_count]; NULL: none */
    struct project_message *messages;
    struct project_crowd *crowds;
    int point_count, message_count, crowd_count;
    struct project_text *texts;
};

/* `name`: of the catalogue; a path of a machine's or of one of Calculon's systems' files (with a '/' or ending in
 * .json); or records of toise (ending in .jsonl). BASE_USAGE names file, field and fix. */
int project_machine_read(const char *name, struct project_machine *m, struct base_error *e);
void project_machine_close(struct project_machine *m);

/* Sets a fact by its key, "nodes", "node.rail_bytes_per_s", "accelerator.power_w", "network.levels.machine.nodes",
 * "facility.pue", to a number or a range ("50e9..100e9") or one of its words; "node.accelerator" to another accelerator
 * of the catalogue. It becomes assumed, and the machine hypothetical. Of nodes, accelerators and node.accelerators the
 * one that the other two give follows; figures of the whole machine (power, HPL, cost), of its nodes or of what was
 * measured on them are forgotten where they no longer hold. Checked like a file; on an error *m is as it was. */
int project_machine_set(struct project_machine *m, const char *key, const char *value, struct base_error *e);

/* The same for each "key=value" of a list with commas; ranges hold none. */
int project_machine_set_list(struct project_machine *m, const char *list, struct base_error *e);

/* Calls `each` for every fact that is known, with the key that project_machine_set takes, or a description ("cost: the
 * computer"), and its value as text for the facts that are words, else NULL. */
void project_machine_each(const struct project_machine *m,
                          void (*each)(void *context, const char *key, const struct project_fact *fact,
                                       const char *word),
                          void *context);

/* The peak in a type; BASE_USAGE lists the types that the accelerator has. */
int project_machine_peak(const struct project_machine *m, enum project_dtype dtype, struct project_fact *peak,
                         struct base_error *e);
/* All links of one accelerator as this machine wires them; unknown where there are none. */
struct project_fact project_machine_scale_up(const struct project_machine *m);
/* A node's nominal bandwidth into the network: all rails. */
struct project_fact project_machine_node_bytes_per_s(const struct project_machine *m);

const char *project_dtype_name(enum project_dtype dtype);
bool project_dtype_find(const char *name, enum project_dtype *dtype);

#endif
