/* SPDX-License-Identifier: Apache-2.0
 *
 * Named tensors in .safetensors files: mapped, checked whole when opened, read as FP32; and written. Every fault of
 * a file that is read is BASE_USAGE and says which file and tensor. What the names mean is not known here. */
#ifndef TOISE_DATA_SAFETENSORS_H
#define TOISE_DATA_SAFETENSORS_H

#include <stdint.h>

#include "base/error.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "tensors are mapped and written as they are");

/* A file: u64 N, little-endian; N bytes of JSON, which spaces may pad:
 *   {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ..., "__metadata__": {"key": "text"}}
 * then the data, row-major, from which offsets count. Tensors fill it without a hole or an overlap. */
enum { DATA_TENSORS_PREFIX = 8, DATA_TENSORS_HEADER_MOST = 100000000 };

enum { DATA_DIMS = 4 };
enum data_dtype { DATA_F32, DATA_F16, DATA_BF16, DATA_UNREAD /* any other: its values cannot be read */ };

struct data_tensor {
    const char *name, *file; /* file: for messages */
    enum data_dtype dtype;
    char type[16]; /* as the file names it: "F32", "I64", "F8_E4M3FNUZ"; cut to its size */
    int dims;      /* of shape, 0 for a scalar; more than DATA_DIMS is refused */
    int64_t shape[DATA_DIMS], count;
    const void *bytes; /* mapped, not necessarily aligned */
    int64_t size;      /* of bytes */
};

struct data_tensors; /* the tensors of a file, or of a folder's shards */

/* path: a .safetensors file; or a folder with model.safetensors, else model.safetensors.index.json (its weight_map
 * says which shard holds which tensor), as transformers looks for them; or the index file itself (*.json).
 * A file that is cut while it is mapped is out of scope (SIGBUS). */
int data_tensors_open(struct data_tensors **set, const char *path, struct base_error *e);
void data_tensors_close(struct data_tensors *set); /* NULL is nothing to close */
int data_tensors_count(const struct data_tensors *set);
const struct data_tensor *data_tensors_at(const struct data_tensors *set, int i);              /* sorted by name */
const struct data_tensor *data_tensors_find(const struct data_tensors *set, const char *name); /* NULL: none */
/* Elements first .. first+n-1 (row-major) as FP32: exact, and a NaN keeps its payload. Of DATA_UNREAD: NaN. */
void data_tensor_read(const struct data_tensor *t, int64_t first, int64_t n, float *out);

struct data_tensor_out {
    const char *name;
    int dims;
    int64_t shape[DATA_DIMS];
};
/* Elements first .. first+n-1 of tensor i. */
typedef void data_tensors_fill(void *context, int i, int64_t first, int64_t n, float *out);
/* Writes a file of F32 tensors in the order given, with the metadata {"format": "pt"} that transformers asks for;
 * data starts 8-byte aligned. fill() is asked for everything once, in order, about a million elements at a time.
 * The file is written beside (PATH.part), synced, and renamed. On failure (BASE_BROKEN and the reason: disk full, a
 * name twice) nothing new is left under either name, and what PATH was before stays. */
int data_tensors_write(const char *path, const struct data_tensor_out *rows, int count, data_tensors_fill *fill,
                       void *context, struct base_error *e);

#endif
