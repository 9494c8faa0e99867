/* SPDX-License-Identifier: Apache-2.0
 *
 * The flags of `toise train` as data. */
#include <math.h>
#include <stdio.h>

#include "base/threads.h"
#include "cli/backend.h"
#include "cli/cli.h"
#include "cli/guard.h"
#include "cli/journal.h"
#include "cli/launches.h"
#include "data/data.h"
#include "train/warmup.h"
#include "training/training.h"
#include "training/work.h"

/* clang-format off */
static const struct cli_option OPTIONS[] = {
    {.name = "--workload", .kind = CLI_TEXT, .at = offsetof(struct training_flags, workload), .hint = "NAME",
     .help = "a catalogued combination of model, sequence length, batch and optimizer; default node-s"},
    {.kind = CLI_SHARED, .at = offsetof(struct training_flags, training), .shared = cli_training_options},
    {.kind = CLI_SHARED, .at = offsetof(struct training_flags, layout), .shared = training_layout_options},
    {.name = "--order", .kind = CLI_TEXT, .at = offsetof(struct training_flags, order), .hint = "LIST",
     .help = "which ranks are adjacent, the innermost first; default tp-cp-dp-pp, so that tensor parallel ranks share a node "
             "if they fit; --dry-run lists rank by rank"},
    {.name = "--steps", .alias = "--train-iters", .kind = CLI_INTEGER, .at = offsetof(struct training_flags, steps), .min = 1,
     .max = 100000, .hint = "N",
     .help = "timed steps; default until --ci is reached or --budget is spent; under a CPU quota at least five quota "
             "periods"},
    {.name = "--min-steps", .kind = CLI_INTEGER, .at = offsetof(struct training_flags, min_steps), .min = 2, .max = 100000,
     .hint = "N", .help = "at least so many timed steps, even beyond --budget; default 8, within it"},
    {.name = "--warmup", .kind = CLI_INTEGER, .at = offsetof(struct training_flags, warmup), .min = 0, .max = 100000,
     .hint = "N", .help = "steps before timing; default by the rule below; with --steps 2"},
    {.name = "--overlap", .kind = CLI_CHOICE, .at = offsetof(struct training_flags, overlap), .word = train_overlap_name,
     .fallback = "auto", .hint = "O",
     .help = ": whether gradients are sent while backward still runs, or after it; auto: what is faster in pairs of "
             "warm-up steps, which the rule below adds; a --warmup of 7 or more has them within, a shorter one none"},
    {.name = "--ci", .kind = CLI_SHARE, .at = offsetof(struct training_flags, ci), .min = 0.001, .max = 1, .hint = "X",
     .help = "wanted half-width of the 95% interval of the mean step, or with --launches of the launches' mean; default "
             "5%; with --steps any"},
    {.name = "--width", .kind = CLI_RENAMED, .hint = "--ci 5%"},
    {.name = "--budget", .kind = CLI_NUMBER, .at = offsetof(struct training_flags, budget), .min = 1, .max = 1e6, .hint = "S",
     .help = "at most so many seconds of timed steps, or with --launches for all of it; default 120 of timed steps"},
    {.kind = CLI_SHARED, .at = offsetof(struct training_flags, launches), .shared = cli_launches_option},
    {.kind = CLI_SHARED, .at = offsetof(struct training_flags, timeout), .shared = cli_guard_option},
    {.name = "--inject", .kind = CLI_TEXT, .at = offsetof(struct training_flags, inject), .hint = "FAULTS"},
    {.kind = CLI_SHARED, .at = offsetof(struct training_flags, threads), .shared = cli_threads_option},
    {.kind = CLI_SHARED, .at = offsetof(struct training_flags, bind), .shared = cli_bind_option},
    {.name = "--seed", .kind = CLI_INTEGER, .at = offsetof(struct training_flags, seed), .min = 0, .max = 9e15, .fallback = "1",
     .hint = "N", .help = "seed of weights and data"},
    {.name = "--lr", .kind = CLI_NUMBER, .at = offsetof(struct training_flags, lr), .min = 0, .max = 10, .hint = "X",
     .help = "highest learning rate; default 6e-4; it decays to a tenth"},
    {.name = "--data", .kind = CLI_TEXT, .at = offsetof(struct training_flags, data), .file = CLI_READ, .hint = "PATH",
     .help = "text (each byte is a token), a token file, or the prefix of a .bin and .idx pair; default a built-in "
             "source of known entropy"},
    {.name = "--data-format", .kind = CLI_TEXT, .at = offsetof(struct training_flags, format), .hint = "F",
     .help = "auto (default: detected from the file), " DATA_FORMATS},
    {.name = "--init", .alias = "--load", .kind = CLI_TEXT, .at = offsetof(struct training_flags, init), .file = CLI_READ,
     .hint = "PATH",
     .help = "initial weights: a Hugging Face .safetensors file or a folder of shards; the config.json beside them is "
             "the model unless --model is given"},
    {.name = "--save", .kind = CLI_TEXT, .at = offsetof(struct training_flags, save), .hint = "DIR",
     .help = "write the final weights and config.json to a new folder that transformers can load, unless the gate "
             "FAILED"},
    {.name = "--save-every", .alias = "--save-interval", .kind = CLI_INTEGER, .at = offsetof(struct training_flags, save_every),
     .min = 1, .max = 1e9, .hint = "N",
     .help = "save a checkpoint in DIR/step-NUMBER after every N steps and after the last one, also if the run is "
             "stopped; --resume DIR goes on from it in any layout"},
    {.name = "--async-save", .kind = CLI_FLAG, .at = offsetof(struct training_flags, async_save),
     .help = "copy what --save-every saves, and write it while training goes on; --dry-run shows the memory that takes"},
    {.name = "--keep", .kind = CLI_INTEGER, .at = offsetof(struct training_flags, keep), .min = 1, .max = 1e9, .hint = "N",
     .help = "keep only the newest N checkpoints; default all"},
    {.name = "--checkpoint", .kind = CLI_TEXT, .at = offsetof(struct training_flags, checkpoint), .file = CLI_READ,
     .hint = "DIR"},
    {.name = "--backend", .kind = CLI_TEXT, .at = offsetof(struct training_flags, backend), .fallback = "toise", .hint = "B",
     .help = "matmuls by toise; by openblas in FP32; or by " CLI_BACKEND_CBLAS ", in BF16 too if it can"},
    {.name = "--energy", .kind = CLI_TEXT, .at = offsetof(struct training_flags, energy), .fallback = "auto", .hint = "E",
     .help = "joules a token from what this node can read: auto; off; list shows the sources; or some of command, cray, "
             "rapl, hwmon, slurm"},
    {.name = "--power-cmd", .kind = CLI_TEXT, .at = offsetof(struct training_flags, power_command), .hint = "CMD",
     .help = "a shell command that prints this node's power (\"212.5\" or \"212.5 W\") or energy so far (\"1234 J\"); "
             "runs once a second on each node"},
    {.name = "--energy-root", .kind = CLI_TEXT, .at = offsetof(struct training_flags, energy_root)},
    {.name = "--profile", .kind = CLI_FLAG, .at = offsetof(struct training_flags, profile),
     .help = "show where the time goes: calls, ms, rate, fraction of its roof and share of the step of each operation"},
    {.name = "--trace", .kind = CLI_TEXT, .at = offsetof(struct training_flags, trace), .file = CLI_WRITTEN, .hint = "FILE",
     .help = "write the calls of the last timed step, of all ranks, as a timeline for ui.perfetto.dev"},
    {.name = "--no-gate", .kind = CLI_FLAG, .at = offsetof(struct training_flags, no_gate),
     .help = "skip the correctness checks; the result is at best inconclusive"},
    {.name = "--dry-run", .kind = CLI_FLAG, .at = offsetof(struct training_flags, dry_run),
     .help = "print the plan (memory, operations, messages) and check every path, but run and write nothing"},
    {.name = "--world", .kind = CLI_INTEGER, .at = offsetof(struct training_flags, world), .min = 1, .max = 10000000,
     .hint = "N", .help = "with --dry-run: plan for N ranks"},
    {.name = "--ranks-per-node", .kind = CLI_INTEGER, .at = offsetof(struct training_flags, ranks_per_node), .min = 1,
     .max = 10000000, .hint = "N", .help = "with --world: of which so many share a node"},
    {.kind = CLI_SHARED, .at = offsetof(struct training_flags, journal), .shared = cli_journal_options},
    {.kind = CLI_SHARED, .at = offsetof(struct training_flags, launch), .shared = cli_launch_options},
    {.kind = CLI_SHARED, .at = offsetof(struct training_flags, output), .shared = cli_output_options},
    {.name = NULL},
};
/* clang-format on */

static const struct cli_rule RULES[] = {
    /* a workload's figures must stay comparable */
    {.given = "--workload",
     .excludes = "--model --seq --gbs --layers --experts --route --lr --data --init",
     .text = "cannot be combined, as a workload fixes model, sizes, data and optimizer"},
    {.given = "--experts",
     .excludes = "--init",
     .text = "cannot be combined, as the weights of the router are those of all experts"},
    {.given = "--steps", .excludes = "--min-steps", .text = "both set the number of timed steps"},
    {.given = "--trace", .excludes = "--dry-run", .text = "cannot be combined, as a dry run makes no step"},
    {.given = "--launches",
     .excludes = "--save --trace --dry-run",
     .text = "cannot be combined, as launches only measure"},
    {.given = "--save-every", .needs = "--save", .text = "needs --save, the folder of the checkpoints"},
    {.given = "--async-save",
     .needs = "--save-every",
     .text = "needs --save-every, as no step is left to go on with while the final weights are saved"},
    {.given = "--keep", .needs = "--save-every", .text = "needs --save-every"},
    {.given = "--data-format", .needs = "--data", .text = "needs --data"},
    {.given = "--resume --recover",
     .excludes = "--launches --dry-run",
     .text = "cannot be combined, as it goes on with one run"},
    {.given = "--resume", .excludes = "--recover", .text = "both take the journal"},
    {.given = "--world", .needs = "--dry-run", .text = "needs --dry-run; a real run gets its ranks from mpirun"},
    {.given = "--ranks-per-node", .needs = "--world", .text = "needs --world; a real run has its nodes from mpirun"},
    {.text = NULL},
};

const struct cli_command training_command = {
    .name = "train",
    .options = OPTIONS,
    .rules = RULES,
    .usage = "[mpirun -n P] toise train [flags]\n\nTrains a real transformer, checks the arithmetic of the code it "
             "times, and reports the rate.",
    .notes = "Warm-up lasts " TRAIN_WARMUP_RULE ".\n"
             "Its steps are in the record, apart from the timed ones.\n"
             "Overlap is " TRAIN_OVERLAP_RULE ".\n"
             "TOISE_ISA (ref, neon, avx2, avx512, avx512bf16) caps the instruction set.\n",
};

int training_read_flags(struct training_flags *flags, struct cli_journal *journal, struct comm *world, int argc,
                        char *const *argv, struct base_error *e) {
    static const struct training_flags unset = {.lr = NAN, .ci = NAN, .budget = NAN, .warmup = -1};
    *flags = unset;
    int code = cli_options_read(&training_command, flags, argc, argv, e);
    struct cli_journal_flags asked = flags->journal;
    const bool saves = flags->save;
    if (code || flags->output.help) return code;
    if ((code = cli_journal_arguments(journal, &asked, training_work, argc, argv, world, e))) return code;
    *flags = unset;
    code = cli_options_read(&training_command, flags, journal->count, journal->arguments, e);
    flags->journal.resume = asked.resume, flags->journal.recover = asked.recover;
    if (code || !flags->save || !(asked.resume || asked.recover)) return code;
    if (saves)
        return base_fail(e, BASE_USAGE, "--save and %s of a journal cannot be combined: %s; leave out --save",
                         asked.resume ? "--resume" : "--recover",
                         asked.resume ? "its steps are trained again, and fewer of them" : "nothing is trained");
    if (world->rank == 0 && asked.resume)
        fputs(
            "toise: --save is left out: a run that goes on from a journal trains its steps again, and fewer of them\n",
            stderr);
    flags->save = NULL, flags->save_every = flags->keep = 0, flags->async_save = false;
    return BASE_OK;
}
