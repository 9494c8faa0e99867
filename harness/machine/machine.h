/* SPDX-License-Identifier: Apache-2.0
 *
 * A machine to project on: of the catalogue, of a file like its, of Calculon's systems, or measured by toise. One plain
 * struct, whose accelerator and facility are resolved and whose figures have passed the checks of
 * harness/catalog/README.md. Bytes, seconds, watts, FLOP; rates of links are one way. */
#ifndef TOISE_MACHINE_MACHINE_H
#define TOISE_MACHINE_MACHINE_H

#include <stdint.h>

#include "base/error.h"
#include "machine/fact.h"

enum machine_dtype {
    MACHINE_FP64,
    MACHINE_FP64_MATRIX,
    MACHINE_FP32,
    MACHINE_TF32,
    MACHINE_FP16,
    MACHINE_BF16,
    MACHINE_FP8,
    MACHINE_DTYPES
};
/* Of a node's accelerators: any pair at full rate; links shared out among peers; through the host; nothing. */
enum machine_node_topology { MACHINE_NVSWITCH, MACHINE_DIRECT, MACHINE_PCIE, MACHINE_NONE };
enum machine_topology {
    MACHINE_FAT_TREE,
    MACHINE_CLOS,
    MACHINE_DRAGONFLY,
    MACHINE_DRAGONFLY_PLUS,
    MACHINE_HYPERCUBE,
    MACHINE_TORUS
};
enum machine_kind { MACHINE_GPU, MACHINE_APU, MACHINE_TPU, MACHINE_ACCELERATOR, MACHINE_CPU };
enum { MACHINE_ROWS = 32, MACHINE_LEVELS = 4 };

/* Something measured: a collective, or the writing of a checkpoint. What its row does not say is NAN. */
struct machine_row {
    const char *op; /* all_reduce, all_gather, reduce_scatter, all_to_all, send; checkpoint_save */
    double nodes, accelerators, bytes;
    struct machine_fact figure; /* bus bandwidth as nccl-tests derives it, bytes/s; of a checkpoint, seconds */
};
struct machine_rows {
    struct machine_row row[MACHINE_ROWS];
    int count;
};

/* Share of a peak that an operation gets, by its size: the row of the largest `from` not above the size. */
struct machine_shares {
    struct {
        double from, share; /* FLOP or bytes of one operation */
    } row[MACHINE_ROWS];    /* from the largest down */
    int count;
};

struct machine_accelerator {
    const char *name, *title, *path; /* path: its file */
    const char *unit;                /* SM, CU, core; NULL: not said */
    enum machine_kind kind;
    int devices;               /* that the driver shows for it; figures are of the whole */
    struct machine_fact class; /* value: its index in machine/classes.h; assumed: no runs of its chip were fitted */
    struct machine_fact peak_flop_per_s[MACHINE_DTYPES], achieved_flop_per_s[MACHINE_DTYPES]; /* the best matmul */
    struct machine_fact units, clock_hz, flop_per_cycle[MACHINE_DTYPES];                      /* of one unit */
    struct machine_fact memory_bytes; /* INFINITY: no limit, in a file of Calculon's */
    struct machine_fact memory_bytes_per_s, l2_bytes, l3_bytes;
    struct machine_fact gemm_tiles; /* value: the largest tile's elements; how the list below is known */
    struct {
        int m, n;
    } tiles[MACHINE_ROWS];
    int tile_count;
    struct machine_fact launch_s, power_w, host_bytes_per_s;
    struct machine_fact links, link_bytes_per_s, scale_up_bytes_per_s; /* all links */
    struct machine_rows scale_up_achieved;
    struct machine_shares matmul_share[MACHINE_DTYPES], memory_share; /* of Calculon's files */
};

struct machine_node {
    struct machine_fact accelerators;
    struct machine_fact topology;                               /* value: enum machine_node_topology */
    struct machine_fact scale_up_nodes;                         /* that one NVLink domain spans: 1 or more */
    struct machine_fact scale_up_bytes_per_s, pair_bytes_per_s; /* as wired here, where the file says so */
    struct machine_fact scale_up_share;                         /* of the bandwidth that messages get; of Calculon */
    struct machine_rows achieved;
    struct machine_fact rails, rail_bytes_per_s;
    struct machine_fact memory_bytes, sockets, cores, power_w;
    struct machine_fact class; /* where the accelerator is priced otherwise here */
};

struct machine_level {
    const char *name;
    struct machine_fact nodes, oversubscription; /* nodes unknown on the last: the machine's */
};

struct machine_network {
    const char *technology;       /* as its owner names it; NULL: not said */
    struct machine_fact topology; /* value: enum machine_topology */
    struct machine_fact latency_s;
    struct machine_fact share;                   /* of the bandwidth that messages get; of Calculon's files */
    struct machine_level levels[MACHINE_LEVELS]; /* from the inside out */
    int level_count;
    struct machine_rows achieved;
};

struct machine_facility {
    const char *name, *title; /* NULL: none named */
    struct machine_fact pue, mean_power_w, peak_power_w;
    struct machine_fact storage_read_bytes_per_s, storage_write_bytes_per_s;
    struct machine_rows storage_achieved;
};

struct machine_cost {
    struct machine_fact amount;
    const char *currency, *covers; /* eur, usd, gbp */
};

struct machine_queue {
    const char *name;
    double accelerators; /* the most a job may have; NAN: not said */
    struct machine_fact wall_s;
};

/* An operation timed by `toise kernels` on one node: the fastest variant of its shape that training runs, which leaves
 * out OpenBLAS and matmuls whose B was packed ahead. Of several launches the median counts, of those in which others
 * took CPU time in a third of the samples only where there are no better: they say how busy a machine was. */
enum { MACHINE_SIZES = 4, MACHINE_REPEATS = 9 };
struct machine_point {
    char op[24];                  /* of kernels.h: "gemm", "attention_forward", "adamw" */
    char variant[24];             /* "avx2" */
    char trans[4];                /* of a matmul, "NT"; else "" */
    int64_t sizes[MACHINE_SIZES]; /* m, n, k; b, h, s, d; rows, cols; n; the rest are 1 */
    int64_t window;               /* of attention; 0: no limit */
    bool alibi;
    enum machine_dtype dtype;
    int threads;
    double bytes;                    /* of operands read and written once, one call; NAN: not said */
    double call_s, spread;           /* seconds of a call; half-width of their 95% interval, relative */
    bool busy;                       /* others took CPU time */
    double repeats[MACHINE_REPEATS]; /* call_s of each launch, in their order; more than fit are left out */
    int repeat_count;
    double flop_per_s, share;    /* share: of the measured peak; NAN where no FLOP are counted */
    double peak_flop_per_s;      /* medians of the windows between the samples: how the machine was at the time; */
    double bandwidth_byte_per_s; /* NAN: none */
};

/* A sum of gradients timed by `toise comm`; of several launches likewise. */
struct machine_message {
    int ranks, nodes, threads;
    double bytes, time_s, spread;
    bool busy;
    double repeats[MACHINE_REPEATS]; /* time_s of each launch */
    int repeat_count;
    double hidden; /* the share of the time that costs the compute beside it nothing; NAN: not measured */
};

/* What ranks of a node keep of their rates alone while all compute, by `toise comm`. */
struct machine_contention {
    int ranks, nodes, threads;
    double matmul, pass;
};

struct machine_text; /* a list of strings */

/* A copy of the struct is a machine too, to change with machine_set. Copies share texts and what was measured:
 * close one of them, when all are done with. */
struct machine {
    const char *name, *title, *country; /* country: the facility's where it has one */
    const char *path;                   /* the file it came from */
    const char *remarks;                /* what its reader assumed or left out; NULL: nothing */
    bool announced;                     /* it does not run yet */
    bool hypothetical;                  /* no result on it is a result on a real machine */
    struct machine_fact year, nodes, accelerators, power_w, hpl_flop_per_s;
    struct machine_accelerator accelerator;
    struct machine_node node;
    struct machine_network network;
    struct machine_facility facility;
    struct machine_cost costs[MACHINE_ROWS];
    struct machine_queue queues[MACHINE_ROWS];
    int cost_count, queue_count;
    struct machine_point *points; /* [point_count]; NULL: none */
    struct machine_message *messages;
    struct machine_contention *contentions;
    int point_count, message_count, contention_count;
    struct machine_text *texts;
};

/* `name`: of the catalogue; a path of a machine's or of one of Calculon's systems' files (with a '/' or ending in
 * .json); or records of toise (ending in .jsonl). BASE_USAGE names file, field and fix. */
int machine_read(const char *name, struct machine *m, struct base_error *e);
void machine_close(struct machine *m);

/* Sets a fact by its key, "nodes", "node.rail_bytes_per_s", "accelerator.power_w", "network.levels.machine.nodes",
 * "facility.pue", to a number or a range ("50e9..100e9") or one of its words; "node.accelerator" to another accelerator
 * of the catalogue. It becomes assumed, and the machine hypothetical. Of nodes, accelerators and node.accelerators the
 * one that the other two give follows; figures of the whole machine (power, HPL, cost), of its nodes or of what was
 * measured on them are forgotten where they no longer hold. Checked like a file; on an error *m is as it was. */
int machine_set(struct machine *m, const char *key, const char *value, struct base_error *e);

/* The same for each "key=value" of a list with commas; ranges hold none. */
int machine_set_list(struct machine *m, const char *list, struct base_error *e);

/* Calls `each` for every fact that is known, with the key that machine_set takes, or a description ("cost: the
 * computer"), and its value as text for the facts that are words, else NULL. */
void machine_each(const struct machine *m,
                  void (*each)(void *context, const char *key, const struct machine_fact *fact, const char *word),
                  void *context);

/* The peak in a type; BASE_USAGE lists the types that the accelerator has. */
int machine_peak(const struct machine *m, enum machine_dtype dtype, struct machine_fact *peak, struct base_error *e);
/* The device class that it is priced as: its node's, else its accelerator's; unknown where neither names one. */
const struct machine_fact *machine_class(const struct machine *m);
/* All links of one accelerator as this machine wires them; unknown where there are none. */
struct machine_fact machine_scale_up(const struct machine *m);
/* A node's nominal bandwidth into the network: all rails. */
struct machine_fact machine_node_bytes_per_s(const struct machine *m);

const char *machine_dtype_name(enum machine_dtype dtype);
bool machine_dtype_find(const char *name, enum machine_dtype *dtype);

#endif
