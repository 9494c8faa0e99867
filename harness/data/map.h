/* SPDX-License-Identifier: Apache-2.0
 *
 * Maps a plain file read-only. All messages about opening a file are here. Knows nothing of its content. */
#ifndef TOISE_DATA_MAP_H
#define TOISE_DATA_MAP_H

#include <stddef.h>

#include "base/error.h"

struct data_map {
    void *bytes; /* NULL: nothing is mapped */
    size_t size;
};

/* Never waits, even on a FIFO or terminal. `fix` ends the message: what to give instead. */
int data_map_open(struct data_map *map, const char *path, const char *fix, struct base_error *e);
void data_map_close(struct data_map *map);

#endif
