/* SPDX-License-Identifier: Apache-2.0
 *
 * One .safetensors file: mapped, its header read. For safetensors.c, which makes a set of them. */
#ifndef TOISE_DATA_SAFETENSORS_SHARD_H
#define TOISE_DATA_SAFETENSORS_SHARD_H

#include <jansson.h>

#include "base/error.h"
#include "data/map.h"
#include "data/safetensors.h"

struct data_shard {
    char *path; /* of the heap */
    struct data_map map;
    json_t *header; /* holds the tensors' names */
    const char *data;
    int64_t size; /* of data */
    int count;    /* of tensors */
};

/* The n bytes as one JSON object without a key twice; `what` they are ("header") is for the message. */
int data_shard_json(const char *path, const char *what, const char *bytes, size_t n, json_t **object,
                    struct base_error *e);
/* Maps shard->path; `fix` as in data_map_open. The caller closes the shard, also after a failure. */
int data_shard_open(struct data_shard *shard, const char *fix, struct base_error *e);
/* Fills rows[shard->count], in the order of their bytes, once all of them hold together. */
int data_shard_tensors(const struct data_shard *shard, struct data_tensor *rows, struct base_error *e);
void data_shard_close(struct data_shard *shard);

#endif
