/* SPDX-License-Identifier: Apache-2.0
 *
 * Where tokens come from. A batch is a function of (seed, step, global sample index): every rank, layout and
 * restart sees the same samples. Tokens of a file are mapped, checked against the vocabulary once, and never
 * copied whole. */
#ifndef TOISE_DATA_DATA_H
#define TOISE_DATA_DATA_H

#include <stdint.h>

#include "base/error.h"

/* What a token file can be, for people. */
#define DATA_FORMATS "text, llmc, nanogpt (uint16), uint32, uint64 or megatron"

struct data_source;

struct data_options {
    const char *path;   /* NULL: the built-in source */
    const char *format; /* NULL or "auto"; or one of DATA_FORMATS */
    int64_t vocab;      /* of the model: every token must be below it */
    int64_t seq;        /* a sample is seq + 1 tokens: seq inputs, seq targets */
    uint64_t seed;
    int share, shares; /* this rank checks share `share` of `shares` of the file */
};

/* A lag of 2, so that only attention by position can find what is repeated (the embedding and MLP see one token;
 * without attention the best loss is the entropy of the Zipf law); a probability of 1/2, so that there is as much
 * to gain by copying as by knowing the law: a transformer of two layers, width 64 and vocabulary 256 falls from
 * 1.5 times the floor to within 5% of it in about a thousand steps of 16 x 32 tokens. */
enum { DATA_LAG = 2 };
#define DATA_COPY 0.5

/* Built-in source: x[t] repeats x[t - DATA_LAG] with probability DATA_COPY, else is drawn from a Zipf law over
 * the vocabulary (p(i) ~ 1/(i+1)); the first DATA_LAG tokens are drawn. So the marginal is the Zipf law at every
 * t, and the conditional entropy of each target is known exactly (data_entropy).
 * Files: "llmc": 256 int32 of header (magic 20240520 version 1: uint16 tokens; 20240801 version 7: uint32), then
 * the tokens; "megatron": Megatron's indexed dataset, the sequences of PREFIX.bin one after the other as PREFIX.idx has
 * them (the path is either file or PREFIX; uint8, uint16, uint32, uint64, int16, int32 or int64); "nanogpt" and
 * "uint16", "uint32", "uint64": raw tokens; "text": a byte is a token. "auto": what an index beside the file says, then
 * the file's own magic, then the name (*.bin is nanogpt, unless it looks like text or wider tokens), then text if it is
 * UTF-8 without control characters; stated text may have another 8-bit encoding (text.h). Never a format that its magic
 * or index contradicts. Errors are BASE_USAGE: unreadable, empty, a folder, a foreign file (foreign.h), neither text
 * nor told, truncated (header count and size disagree), unknown magic, version or type, index and tokens that disagree
 * (the sequence is named), a token < 0 or >= vocab (named with its index), fewer than seq + 1 tokens, odd size. A file
 * that is cut while it is mapped is out of scope (SIGBUS). A file's sample starts at a place uniform over all that
 * leave seq + 1 tokens, a function of (seed, step, sample) like everything else. */
int data_open(struct data_source **source, const struct data_options *options, struct base_error *e);
void data_close(struct data_source *source);

/* Fills inputs[count][seq] and targets[count][seq] with samples first .. first+count-1 of step `step`'s global
 * batch of `global` samples. No allocation; no failure. */
void data_fill(const struct data_source *source, int64_t step, int64_t global, int64_t first, int64_t count,
               int32_t *inputs, int32_t *targets);

/* Mean over the seq targets of a sample of the built-in source's exact conditional entropy, nats per token: the
 * least expected loss any model can have. NAN for files. */
double data_entropy(const struct data_source *source);
/* "built-in copy/Zipf source", "FILE (llm.c tokens, 12,345)", for reports: under 160 bytes, a longer path shortened. */
const char *data_describe(const struct data_source *source);

#endif
