/* SPDX-License-Identifier: Apache-2.0
 *
 * A machine to project on. It comes from the catalogue, from a file of the same form, from a system of Calculon, or
 * from records measured by toise. The room machine/ promises one plain struct whose accelerator and facility are
 * resolved, and whose figures have passed the checks of harness/catalog/README.md. Every figure is a fact with its
 * status and source (fact.h). It needs base/, records/ and plan/. It does not know what a step costs. Units: bytes,
 * seconds, watts, FLOP. Rates of links are one way. */
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
    MACHINE_FP4,
    MACHINE_DTYPES
};
/* How a node's accelerators are linked: any pair at full rate; links divided among the peers; through the host; none.
 */
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

/* A measured collective or checkpoint write. NAN: the row does not state it. */
struct machine_row {
    const char *op; /* all_reduce, all_gather, reduce_scatter, all_to_all, send; checkpoint_save */
    double nodes, accelerators, bytes;
    struct machine_fact figure; /* bus bandwidth as in nccl-tests, bytes/s; of a checkpoint, seconds */
};
struct machine_rows {
    struct machine_row row[MACHINE_ROWS];
    int count;
};

/* The share of a peak that an operation gets depends on its size. The row with the largest `from` <= size applies. */
struct machine_shares {
    struct {
        double from, share; /* FLOP or bytes of one operation */
    } row[MACHINE_ROWS];    /* from the largest down */
    int count;
};

struct machine_accelerator {
    const char *name, *title, *path; /* path: its file */
    const char *unit;                /* SM, CU, core; NULL: unknown */
    enum machine_kind kind;
    int devices;               /* how many the driver shows for it; figures are for all of them together */
    struct machine_fact class; /* value: index in machine/classes.h; assumed: no runs of its chip were fitted */
    struct machine_fact peak_flop_per_s[MACHINE_DTYPES], achieved_flop_per_s[MACHINE_DTYPES]; /* the best matmul */
    struct machine_fact units, clock_hz, flop_per_cycle[MACHINE_DTYPES];                      /* of one unit */
    struct machine_fact memory_bytes; /* INFINITY: no limit, in a file of Calculon */
    struct machine_fact memory_bytes_per_s, l2_bytes, l3_bytes;
    struct machine_fact gemm_tiles; /* value: elements of the largest tile; status and source of the list below */
    struct {
        int m, n;
    } tiles[MACHINE_ROWS];
    int tile_count;
    struct machine_fact launch_s, power_w, host_bytes_per_s;
    struct machine_fact links, link_bytes_per_s, scale_up_bytes_per_s; /* all links */
    struct machine_rows scale_up_achieved;
    struct machine_shares matmul_share[MACHINE_DTYPES], memory_share; /* from Calculon's files */
};

struct machine_node {
    struct machine_fact accelerators;
    struct machine_fact topology;                               /* value: enum machine_node_topology */
    struct machine_fact scale_up_nodes;                         /* nodes in one NVLink domain: 1 or more */
    struct machine_fact scale_up_bytes_per_s, pair_bytes_per_s; /* this machine's wiring, if the file states it */
    struct machine_fact scale_up_share;                         /* share of it that messages get; from Calculon */
    struct machine_rows achieved;
    struct machine_fact rails, rail_bytes_per_s;
    struct machine_fact memory_bytes, sockets, cores, power_w;
    struct machine_fact class; /* overrides the accelerator's class */
};

struct machine_level {
    const char *name;
    struct machine_fact nodes, oversubscription; /* nodes of the last level unknown: all of the machine */
};

struct machine_network {
    const char *technology;       /* in its owner's words; NULL: unknown */
    struct machine_fact topology; /* value: enum machine_topology */
    struct machine_fact latency_s;
    struct machine_fact share;                   /* of the bandwidth that messages get; from Calculon's files */
    struct machine_level levels[MACHINE_LEVELS]; /* innermost first */
    int level_count;
    struct machine_rows achieved;
};

struct machine_facility {
    const char *name, *title; /* NULL: no facility named */
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
    double accelerators; /* the most that a job may have; NAN: unknown */
    struct machine_fact wall_s;
};

/* An operation timed by `toise kernels` on one node: the fastest variant of its shape that training runs. So OpenBLAS
 * and matmuls with B packed ahead do not count. Several launches give their median. A launch is busy if other processes
 * took CPU time in a third of its samples; busy launches count only if there are no others. */
enum { MACHINE_SIZES = 4, MACHINE_REPEATS = 9 };
struct machine_point {
    char op[24];                  /* of kernels.h: "gemm", "attention_forward", "adamw" */
    char variant[24];             /* "avx2" */
    char trans[4];                /* "NT" of a matmul; else "" */
    int64_t sizes[MACHINE_SIZES]; /* m, n, k; b, h, s, d; rows, cols; n; the rest are 1 */
    int64_t window;               /* of attention; 0: no limit */
    bool alibi;
    enum machine_dtype dtype;
    int threads;
    double bytes;                    /* of operands read and written once per call; NAN: unknown */
    double call_s, spread;           /* seconds of a call; relative half-width of their 95% interval */
    bool busy;                       /* other processes took CPU time */
    double repeats[MACHINE_REPEATS]; /* call_s of each launch in order; later ones are dropped */
    int repeat_count;
    double flop_per_s, share;    /* share: of the measured peak; NAN: no FLOP are counted */
    double peak_flop_per_s;      /* this and the next: medians of the windows between the samples, */
    double bandwidth_byte_per_s; /* the state of the machine at that time; NAN: none */
};

/* A sum of gradients timed by `toise comm`. Several launches are treated as above. */
struct machine_message {
    int ranks, nodes, threads;
    double bytes, time_s, spread;
    bool busy;
    double repeats[MACHINE_REPEATS]; /* time_s of each launch */
    int repeat_count;
    double hidden; /* share of the time that does not slow overlapped compute; NAN: not measured */
};

/* Contention, measured by `toise comm`: the share of its rate alone that a rank keeps while all ranks compute. */
struct machine_contention {
    int ranks, nodes, threads;
    double matmul, pass;
};

struct machine_text; /* a list of strings */

/* The struct may be copied, and the copy changed with machine_set. Copies share texts and measurements: close only one
 * of them, when all are no longer used. */
struct machine {
    const char *name, *title, *country; /* country: the facility's, if there is one */
    const char *path;                   /* its file */
    const char *remarks;                /* what the reader assumed or left out; NULL: nothing */
    bool announced;                     /* it does not run yet */
    bool hypothetical;                  /* results on it are not results on a real machine */
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
    int inconclusive; /* records of kernels and sums that were not used since their status is INCONCLUSIVE */
    struct machine_text *texts;
};

/* `name` is a machine of the catalogue, the path of a machine's or a Calculon system's file (with a '/' or ending in
 * .json), or a file of records of toise (ending in .jsonl). BASE_USAGE names file, field and fix. */
int machine_read(const char *name, struct machine *m, struct base_error *e);
void machine_close(struct machine *m);

/* Sets a fact to a number, a range ("50e9..100e9") or one of its words. Keys are "nodes", "node.rail_bytes_per_s",
 * "accelerator.power_w", "network.levels.machine.nodes", "facility.pue" and so on; "node.accelerator" takes another
 * accelerator of the catalogue. The fact becomes assumed, and the machine hypothetical. Nodes, accelerators and
 * node.accelerators are kept consistent. Figures that no longer hold become unknown: those of the whole machine (power,
 * HPL, cost), of its nodes, or measured on them. The result is checked like a file; on an error *m is unchanged. */
int machine_set(struct machine *m, const char *key, const char *value, struct base_error *e);

/* The same for each "key=value" of a comma-separated list. */
int machine_set_list(struct machine *m, const char *list, struct base_error *e);

/* Calls `each` for every known fact. `key` is the key that machine_set takes, or a description ("cost: the computer").
 * `word` is the value of a fact that is a word, else NULL. */
void machine_each(const struct machine *m,
                  void (*each)(void *context, const char *key, const struct machine_fact *fact, const char *word),
                  void *context);

/* The peak of a type. BASE_USAGE lists the types that the accelerator has. */
int machine_peak(const struct machine *m, enum machine_dtype dtype, struct machine_fact *peak, struct base_error *e);
/* The device class that prices it: the node's, else the accelerator's; unknown if neither names one. */
const struct machine_fact *machine_class(const struct machine *m);
/* Bandwidth of all links of one accelerator, as wired in this machine; unknown if there are none. */
struct machine_fact machine_scale_up(const struct machine *m);
/* A node's nominal bandwidth into the network, over all rails. */
struct machine_fact machine_node_bytes_per_s(const struct machine *m);

const char *machine_dtype_name(enum machine_dtype dtype);
bool machine_dtype_find(const char *name, enum machine_dtype *dtype);

#endif
