/* SPDX-License-Identifier: Apache-2.0
 *
 * One .safetensors file: maps it and reads its header. Only for safetensors.c, which combines shards. */
#ifndef TOISE_DATA_SAFETENSORS_SHARD_H
#define TOISE_DATA_SAFETENSORS_SHARD_H

#include <jansson.h>

#include "base/error.h"
#include "data/map.h"
#include "data/safetensors.h"

struct data_shard {
    char *path; /* on the heap */
    struct data_map map;
    json_t *header; /* owns the tensors' names */
    const char *data;
    int64_t size; /* of data */
    int count;    /* of tensors */
};

/* Parses n bytes as one JSON object without duplicate keys. `what` names them in messages ("header"). */
int data_shard_json(const char *path, const char *what, const char *bytes, size_t n, json_t **object,
                    struct base_error *e);
/* Maps shard->path; `fix` is as in data_map_open. The caller closes the shard, also after a failure. */
int data_shard_open(struct data_shard *shard, const char *fix, struct base_error *e);
/* Checks all tensors and fills rows[shard->count] in the order of their bytes. */
int data_shard_tensors(const struct data_shard *shard, struct data_tensor *rows, struct base_error *e);
void data_shard_close(struct data_shard *shard);

#endif
