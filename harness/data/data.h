/* SPDX-License-Identifier: Apache-2.0
 *
 * The room data/ says where tokens and weights come from. This file is the source of tokens: built-in, or a token file.
 * safetensors.h reads and writes weights.
 *
 * It promises that a batch is a function of (seed, step, global sample index). So every rank, layout and restart sees
 * the same samples. Opening checks everything that a file claims, so data_fill cannot fail.
 *
 * It reads a token file in one of DATA_FORMATS, or generates tokens. It maps token files, checks every token against
 * the vocabulary once, and never copies a file whole.
 *
 * It knows no model, no MPI and no tokenizer. Ranks share the check of a file, but the caller combines their results.
 */
#ifndef TOISE_DATA_DATA_H
#define TOISE_DATA_DATA_H

#include <stdint.h>

#include "base/error.h"

/* The formats of token files, as messages list them. */
#define DATA_FORMATS "text, llmc, nanogpt (uint16), uint32, uint64 or megatron"

struct data_source;

struct data_options {
    const char *path;   /* NULL: the built-in source */
    const char *format; /* NULL, "auto", or one of DATA_FORMATS */
    int64_t vocab;      /* the model's; every token must be below it */
    int64_t seq;        /* a sample is seq + 1 tokens: seq inputs, seq targets */
    uint64_t seed;
    int share, shares; /* this rank checks share `share` of `shares` of the file */
};

/* The lag is 2: embedding and MLP see one token, so only attention that uses positions finds the repeats. Without
 * attention the best loss is the entropy of the Zipf law. The probability is 1/2, so that copying gains as much as
 * knowing the law. A transformer of two layers, width 64 and vocabulary 256 falls from 1.5 times the floor to within 5%
 * of it in about a thousand steps of 16 x 32 tokens. */
enum { DATA_LAG = 2 };
#define DATA_COPY 0.5

/* Built-in source: x[t] repeats x[t - DATA_LAG] with probability DATA_COPY. Else it is drawn from a Zipf law over the
 * vocabulary, p(i) ~ 1/(i+1), as are the first DATA_LAG tokens. So the marginal is the Zipf law at every t, and the
 * conditional entropy of each target is known exactly (data_entropy).
 *
 * Formats of files:
 *   llmc      256 int32 of header, then tokens: magic 20240520 version 1 uint16, 20240801 version 7 uint32
 *   megatron  Megatron's indexed dataset, PREFIX.bin in the order of PREFIX.idx. The path is either file or PREFIX;
 *             uint8, uint16, uint32, uint64, int16, int32 or int64
 *   nanogpt, uint16, uint32, uint64   raw tokens
 *   text      each byte is a token
 *   auto      an index next to the file decides, then the file's magic, then its name, then its content: *.bin is
 *             nanogpt unless it looks like text or wider tokens; UTF-8 without control characters is text
 * Text that the user names as such may have another 8-bit encoding (text.h). A magic or an index that contradicts the
 * named format is an error.
 *
 * Errors are BASE_USAGE: unreadable, empty, a folder, a foreign file (foreign.h), not text and no format named,
 * truncated (header count and size disagree), unknown magic, version or type, an index that disagrees with the tokens
 * (the message names the sequence), a token < 0 or >= vocab (with its index), fewer than seq + 1 tokens, odd size. A
 * file that is truncated while it is mapped ends the process (SIGBUS).
 *
 * A sample of a file starts at a position uniform over all that leave seq + 1 tokens. */
int data_open(struct data_source **source, const struct data_options *options, struct base_error *e);
void data_close(struct data_source *source);

/* Fills inputs[count][seq] and targets[count][seq] with samples first .. first+count-1 of step `step`, whose global
 * batch has `global` samples. It allocates nothing and cannot fail. */
void data_fill(const struct data_source *source, int64_t step, int64_t global, int64_t first, int64_t count,
               int32_t *inputs, int32_t *targets);

/* The exact conditional entropy of the built-in source, nats per token, averaged over a sample's seq targets. No model
 * can expect a lower loss. NAN for files. */
double data_entropy(const struct data_source *source);
/* "built-in copy/Zipf source" or "FILE (llm.c tokens, 12,345)", for reports. Under 160 bytes: a long path is shortened.
 */
const char *data_describe(const struct data_source *source);

#endif
