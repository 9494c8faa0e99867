/* SPDX-License-Identifier: Apache-2.0
 *
 * Named tensors in .safetensors files: maps them, checks them fully on opening, reads values as FP32, and writes them.
 * Every fault of an input file is BASE_USAGE with file and tensor. Does not know what the names mean. */
#ifndef TOISE_DATA_SAFETENSORS_H
#define TOISE_DATA_SAFETENSORS_H

#include <stdint.h>

#include "base/error.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "tensors are mapped and written as they are");

/* A file: u64 N, little-endian; then N bytes of JSON, which spaces may pad:
 *   {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ..., "__metadata__": {"key": "text"}}
 * then the data, row-major. Offsets count from the start of the data. Tensors fill it without a hole or an overlap. */
enum { DATA_TENSORS_PREFIX = 8, DATA_TENSORS_HEADER_MOST = 100000000 };
enum { DATA_TENSORS_CHUNK = 1 << 20 }; /* elements that are written at once */

enum { DATA_DIMS = 4 };
enum data_dtype { DATA_F32, DATA_F16, DATA_BF16, DATA_UNREAD /* any other: its values cannot be read */ };

struct data_tensor {
    const char *name, *file; /* file: for messages */
    enum data_dtype dtype;
    char type[16]; /* the file's name of it: "F32", "I64", "F8_E4M3FNUZ"; truncated to fit */
    int dims;      /* entries of shape, 0 for a scalar; more than DATA_DIMS is refused */
    int64_t shape[DATA_DIMS], count;
    const void *bytes; /* mapped, not necessarily aligned */
    int64_t at;        /* where they begin in the file */
    int64_t size;      /* of bytes */
};

struct data_tensors; /* the tensors of a file, or of a folder's shards */

/* path: a .safetensors file; or a folder with model.safetensors, else model.safetensors.index.json; or the index itself
 * (*.json). transformers looks in the same order. The index's weight_map says which shard holds which tensor. A file
 * that is truncated while it is mapped ends the process (SIGBUS). */
int data_tensors_open(struct data_tensors **set, const char *path, struct base_error *e);
void data_tensors_close(struct data_tensors *set); /* NULL is allowed */
int data_tensors_count(const struct data_tensors *set);
const struct data_tensor *data_tensors_at(const struct data_tensors *set, int i);              /* sorted by name */
const struct data_tensor *data_tensors_find(const struct data_tensors *set, const char *name); /* NULL: none */
/* Elements first .. first+n-1 (row-major) as FP32. Exact, and a NaN keeps its payload. DATA_UNREAD gives NaN. */
void data_tensor_read(const struct data_tensor *t, int64_t first, int64_t n, float *out);

struct data_tensor_out {
    const char *name;
    int dims;
    int64_t shape[DATA_DIMS];
};
/* Supplies elements first .. first+n-1 of tensor i. */
typedef void data_tensors_fill(void *context, int i, int64_t first, int64_t n, float *out);
/* Writes F32 tensors in the given order, with the metadata {"format": "pt"} that transformers requires. Data starts
 * 8-byte aligned. It calls fill() for every element once, in order, about a million at a time. It writes PATH.part,
 * syncs it each 64 MiB and at its end, and renames it to PATH. On failure (BASE_BROKEN: disk full, a name given twice)
 * it leaves no new file, and an old PATH is unchanged. */
int data_tensors_write(const char *path, const struct data_tensor_out *rows, int count, data_tensors_fill *fill,
                       void *context, struct base_error *e);

#endif
