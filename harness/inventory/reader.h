/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads /proc and /sys into the machine object of a record. What cannot be read becomes null, and why stands in
 * `unknown`: "permission", "absent", "virtual machine does not say", or what the reading file knows. The parts of the
 * object follow, one function for each file of this room. Only this room includes it. */
#ifndef TOISE_INVENTORY_READER_H
#define TOISE_INVENTORY_READER_H

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>

#include "base/topology.h"
#include "kernels.h"

struct inventory_reader {
    const char *root; /* above proc/ and sys/; "": this machine */
    const struct base_topology *topology;
    bool virtualised;
    json_t *machine, *unknown; /* unknown: {"firmware.version": why} */
};

/* Sets the value at a path of keys ("firmware.version"), and makes the objects above it. Takes over `value`. NULL:
 * null, and `why` it is unknown; then `why` may be NULL for what this machine has not got. */
void inventory_put(struct inventory_reader *r, const char *path, json_t *value, const char *why);
/* The same for a text; "" and what is not UTF-8 are unknown. For a count or a size; 0 and less are unknown. */
void inventory_put_text(struct inventory_reader *r, const char *path, const char *text, const char *why);
void inventory_put_count(struct inventory_reader *r, const char *path, long long n, const char *why);

/* The path of root/file. */
const char *inventory_path(const struct inventory_reader *r, char path[PATH_MAX], const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The file's first line without surrounding blanks. Returns NULL, or why it is "". */
const char *inventory_line(const struct inventory_reader *r, const char *file, char *text, int size);
/* Puts the file's first line. */
void inventory_put_line(struct inventory_reader *r, const char *path, const char *file);
/* The number at the start of a file; -1: not readable, or none. */
long long inventory_number(const struct inventory_reader *r, const char *file);
/* The name of the driver of a device in /sys; "": none. */
void inventory_driver(const struct inventory_reader *r, const char *device, char *name, size_t size);

/* Calls `each` with the names in a folder whose start is `prefix`, eth2 before eth10. Returns NULL, or why the folder
 * cannot be read. */
typedef void inventory_each(struct inventory_reader *r, const char *name, void *context);
const char *inventory_list(struct inventory_reader *r, const char *folder, const char *prefix, inventory_each *each,
                           void *context);

/* How many numbers a list such as "0-3,8" has. */
int inventory_list_count(const char *list);

void inventory_cpu(struct inventory_reader *r);       /* names, shape, features, microcode, mitigations */
void inventory_frequency(struct inventory_reader *r); /* governor, limits, boost */
void inventory_memory(struct inventory_reader *r);    /* sizes, NUMA nodes, pages */
void inventory_modules(struct inventory_reader *r);   /* memory modules, from SMBIOS or EDAC */
void inventory_system(struct inventory_reader *r);    /* kernel, its command line, firmware, IOMMU */
void inventory_network(struct inventory_reader *r);   /* interfaces and adapters */
void inventory_limits(struct inventory_reader *r);    /* control groups, Slurm, environment */
void inventory_software(struct inventory_reader *r, const struct kernel_ops *ops, enum kernel_isa isa);

#endif
