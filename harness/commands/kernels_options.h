/* SPDX-License-Identifier: Apache-2.0
 *
 * The flags of `toise kernels` as data. Included by kernels.c only. */
#ifndef TOISE_CLI_KERNELS_OPTIONS_H
#define TOISE_CLI_KERNELS_OPTIONS_H

#include "base/threads.h"
#include "cli/backend.h"
#include "cli/cli.h"
#include "cli/launches.h"

struct flags {
    const char *ops, *shapes, *model, *dtypes, *variants, *backend;
    int64_t seq, micro_batch, threads, seed, launches; /* seq 0: not given */
    double seconds, ci, budget;                        /* budget NAN: not given */
    int bind;
    bool explain, dry_run, probe;
    struct cli_launch launch;
    struct cli_output output;
};

/* clang-format off */
static const struct cli_option OPTIONS[] = {
    {.name = "--op", .kind = CLI_TEXT, .once = true, .at = offsetof(struct flags, ops), .hint = "LIST",
     .help = "gemm, attention, rows (all operations on rows), vectors, or single operations by name; default all"},
    {.name = "--model", .kind = CLI_TEXT, .at = offsetof(struct flags, model), .file = CLI_READ,
     .fallback = CLI_MODEL, .hint = "NAME",
     .help = "take the shapes of one step of a model: a preset, or the path of a Hugging Face config.json"},
    {.name = "--seq", .alias = "--seq-length", .kind = CLI_INTEGER, .at = offsetof(struct flags, seq), .min = 1,
     .max = CLI_SIZE_MOST, .hint = "N", .help = "tokens of a sequence; default 256"},
    {.name = "--mbs", .alias = "--micro-batch-size", .kind = CLI_INTEGER, .at = offsetof(struct flags, micro_batch),
     .min = 1, .max = CLI_SIZE_MOST, .fallback = "4", .hint = "N", .help = "sequences computed at once"},
    {.name = "--shapes", .kind = CLI_TEXT, .at = offsetof(struct flags, shapes), .file = CLI_READ, .hint = "FILE",
     .help = "take the shapes from a file instead, one a line (format below)"},
    {.name = "--dtype", .kind = CLI_TEXT, .once = true, .at = offsetof(struct flags, dtypes), .hint = "LIST",
     .help = "f32, bf16 or f32,bf16; default both"},
    {.name = "--isa", .alias = "--variant", .kind = CLI_TEXT, .once = true, .at = offsetof(struct flags, variants),
     .hint = "LIST",
     .help = "ref (plain C), neon, avx2, avx512, avx512bf16, or openblas; +packed for matmuls with B packed ahead; "
             "default the best that this host can run, except ref"},
    {.name = "--backend", .kind = CLI_TEXT, .at = offsetof(struct flags, backend), .fallback = "toise", .hint = "B",
     .help = "also time the matmuls of " CLI_BACKEND_CBLAS ", as the variant cblas"},
    {.name = "--threads", .kind = CLI_INTEGER, .at = offsetof(struct flags, threads), .min = 1, .max = BASE_CPUS_MAX,
     .hint = "N",
     .help = "OpenMP threads; default one for each core, or fewer if a quota, Slurm or OMP_NUM_THREADS say so"},
    {.kind = CLI_SHARED, .at = offsetof(struct flags, bind), .shared = cli_bind_option},
    {.name = "--seconds", .kind = CLI_NUMBER, .at = offsetof(struct flags, seconds), .min = 0.01, .max = 3600,
     .fallback = "0.25", .hint = "S",
     .help = "seconds per variant of a shape, roofs included; under a CPU quota at least three windows"},
    {.name = "--ci", .kind = CLI_SHARE, .at = offsetof(struct flags, ci), .min = 0.001, .max = 1,
     .fallback = "10%", .hint = "X",
     .help = "a rate is inconclusive if its median's 95% interval has a larger relative half-width; with --launches the "
             "mean's over launches"},
    {.name = "--width", .kind = CLI_RENAMED, .hint = "--ci 10%"},
    {.name = "--seed", .kind = CLI_INTEGER, .at = offsetof(struct flags, seed), .min = 0, .max = 9e15, .fallback = "1",
     .hint = "N", .help = "seed of the operands"},
    {.name = "--explain", .kind = CLI_FLAG, .at = offsetof(struct flags, explain),
     .help = "show how matmuls are blocked for this machine's caches"},
    {.name = "--dry-run", .kind = CLI_FLAG, .at = offsetof(struct flags, dry_run),
     .help = "list the shapes with their FLOP and bytes, and time nothing"},
    {.kind = CLI_SHARED, .at = offsetof(struct flags, launches), .shared = cli_launches_option},
    {.name = "--budget", .kind = CLI_NUMBER, .at = offsetof(struct flags, budget), .min = 1, .max = 1e6, .hint = "S",
     .help = "of --launches: at most so many seconds"},
    {.kind = CLI_SHARED, .at = offsetof(struct flags, launch), .shared = cli_launch_options},
    {.kind = CLI_SHARED, .at = offsetof(struct flags, output), .shared = cli_output_options},
    {.name = "--openblas-probe", .kind = CLI_FLAG, .at = offsetof(struct flags, probe)}, /* see try_openblas */
    {.name = NULL},
};
/* clang-format on */

static const struct cli_rule RULES[] = {
    {.given = "--launches", .excludes = "--explain --dry-run", .text = "cannot be combined, as launches only measure"},
    {.given = "--budget", .needs = "--launches", .text = "needs --launches"},
    {.given = "--shapes", .excludes = "--model --seq --mbs", .text = "both set the shapes"},
    {.text = NULL},
};

static const struct cli_command COMMAND = {
    .name = "kernels",
    .options = OPTIONS,
    .rules = RULES,
    .usage = "toise kernels [flags]\n\nHow near the machine's limit are matmul, attention and the rest? Each result is "
             "checked, then timed interleaved\nwith the roofs: the register-only peak in its dtype, and the bandwidth "
             "of passes over memory.",
    .notes = "Lines of a --shapes file; # begins a comment (examples: tests/shapes/*.txt):\n"
             "  NT M N K              matmul; NN, NT, TN or TT: A and B stored as used (N) or transposed (T)\n"
             "  attention BATCH HEADS KV_HEADS SEQ HEAD_DIM [window N] [alibi]\n"
             "  rows ROWS COLS        norms, activations, moves, cross-entropy, column sums\n"
             "  elements N            AdamW, sums of squares, conversions, copies\n"
             "TOISE_ISA (ref, neon, avx2, avx512, avx512bf16) caps the instruction set.\n",
};

#endif
