/* SPDX-License-Identifier: Apache-2.0
 *
 * The flags of `toise comm` as data. Included by comm.c only. */
#ifndef TOISE_COMMANDS_COMM_OPTIONS_H
#define TOISE_COMMANDS_COMM_OPTIONS_H

#include "cli/guard.h"
#include "commands/comm_sizes.h"

/* clang-format off */
static const struct cli_option OPTIONS[] = {
    {.name = "--op", .kind = CLI_TEXT, .once = true, .at = offsetof(struct comm_flags, ops), .fallback = "all_reduce",
     .hint = "LIST",
     .help = "all_reduce, reduce_scatter, all_gather, broadcast, all_to_all, p2p, bidirectional, or all"},
    {.name = "--group", .kind = CLI_TEXT, .once = true, .at = offsetof(struct comm_flags, groups), .hint = "LIST",
     .help = "all ranks; intra: the ranks of each node, all nodes at once; inter: one rank of each node; default those "
             "that differ"},
    {.name = "--bytes", .kind = CLI_TEXT, .once = true, .at = offsetof(struct comm_flags, bytes), .hint = "LIST",
     .help = "sizes, as in 65536,64K,1MiB; default from 16 KiB by factors of four up to the model's gradient"},
    {.name = "--begin", .alias = "-b", .kind = CLI_TEXT, .at = offsetof(struct comm_flags, begin), .hint = "SIZE",
     .help = "or a sweep over sizes, from this one; default 8"},
    {.name = "--end", .alias = "-e", .kind = CLI_TEXT, .at = offsetof(struct comm_flags, end), .hint = "SIZE",
     .help = "up to this one; default 64M"},
    {.name = "--factor", .alias = "-f", .kind = CLI_INTEGER, .at = offsetof(struct comm_flags, factor), .min = 2,
     .max = 1 << 20, .hint = "N", .help = "each size is this many times the one before; default 2"},
    {.name = "--step", .alias = "-i", .kind = CLI_TEXT, .at = offsetof(struct comm_flags, step), .hint = "SIZE",
     .help = "or larger by this"},
    {.name = "--model", .kind = CLI_TEXT, .at = offsetof(struct comm_flags, model), .file = CLI_READ,
     .fallback = CLI_MODEL, .hint = "NAME",
     .help = "model whose gradient is the largest size: a preset, or the path of a Hugging Face config.json"},
    {.kind = CLI_SHARED, .at = offsetof(struct comm_flags, threads), .shared = cli_threads_option},
    {.kind = CLI_SHARED, .at = offsetof(struct comm_flags, bind), .shared = cli_bind_option},
    {.name = "--seconds", .kind = CLI_NUMBER, .at = offsetof(struct comm_flags, seconds), .min = 0.01, .max = 3600,
     .fallback = "1", .hint = "S",
     .help = "seconds per size, and as long again for an all-reduce with compute running"},
    {.name = "--ci", .kind = CLI_SHARE, .at = offsetof(struct comm_flags, ci), .min = 0.001, .max = 1,
     .fallback = "20%", .hint = "X",
     .help = "a time is inconclusive if its median's 95% interval has a larger relative half-width"},
    {.name = "--width", .kind = CLI_RENAMED, .hint = "--ci 20%"},
    {.name = "--csv", .kind = CLI_TEXT, .at = offsetof(struct comm_flags, csv), .file = CLI_WRITTEN, .hint = "FILE",
     .help = "write the table there too, with commas; a file of before is replaced"},
    {.kind = CLI_SHARED, .at = offsetof(struct comm_flags, timeout), .shared = cli_guard_option},
    {.kind = CLI_SHARED, .at = offsetof(struct comm_flags, launch), .shared = cli_launch_options},
    {.kind = CLI_SHARED, .at = offsetof(struct comm_flags, output), .shared = cli_output_options},
    {.name = NULL},
};
/* clang-format on */

static const struct cli_rule RULES[] = {
    {.given = "--bytes --begin --end --factor --step", .excludes = "--model", .text = "both set the sizes"},
    {.given = "--bytes", .excludes = "--begin --end --factor --step", .text = "both set the sizes"},
    {.given = "--factor", .excludes = "--step", .text = "both set the next size"},
    {.text = NULL},
};

static const struct cli_command COMMAND = {
    .name = "comm",
    .options = OPTIONS,
    .rules = RULES,
    .usage =
        "mpirun -n P toise comm [flags]\n\nHow fast do these ranks communicate, within nodes and between them, and "
        "how much does summing gradients slow\ncompute running meanwhile? Uses the calls that training makes. Each "
        "size is checked, and the slowest rank's\ntime counts.",
    .notes =
        "Sizes are powers of 1024: K or KiB, M or MiB, G or GiB. Columns, sizes, algbw and busbw are those of "
        "nccl-tests.\nA size of reduce_scatter, all_gather and all_to_all is of all blocks: rounded down to whole "
        "floats for each rank,\nand left out if a rank would have none. In p2p a message goes there and back between "
        "two ranks, and half of\nthat is its time. In bidirectional each rank sends to the next and receives from the "
        "one before.\nTOISE_ISA (ref, neon, avx2, avx512, avx512bf16) caps the instruction set.\n",
};

#endif
