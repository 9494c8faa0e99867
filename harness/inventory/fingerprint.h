/* SPDX-License-Identifier: Apache-2.0
 *
 * Describes, for a record, the machine and the software that its figures come from.
 *
 * The room inventory/ says what a node is. It promises that what cannot be read is null, never an invented value. It
 * needs base/, comm/, records/ and the kernels. It does not know what is measured, nor what a difference costs. */
#ifndef TOISE_INVENTORY_FINGERPRINT_H
#define TOISE_INVENTORY_FINGERPRINT_H

#include <jansson.h>

#include "base/topology.h"
#include "kernels.h"

/* The record's `machine` object, a new reference; results/README.md has its keys. *ops was selected with the cap `isa`.
 * What cannot be read is null, and why stands in its `unknown`. Its `fingerprint` is a hash of what matters for speed
 * (facts.h). */
json_t *inventory_fingerprint(const struct base_topology *t, const struct kernel_ops *ops, enum kernel_isa isa);
/* The same of the machine whose /proc and /sys lie under `root`. */
json_t *inventory_fingerprint_under(const char *root, const struct base_topology *t, const struct kernel_ops *ops,
                                    enum kernel_isa isa);

#endif
