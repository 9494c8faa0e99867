/* SPDX-License-Identifier: Apache-2.0
 *
 * Describes, for a record, the machine and the software that its figures come from. */
#ifndef TOISE_MEASURE_FINGERPRINT_H
#define TOISE_MEASURE_FINGERPRINT_H

#include <jansson.h>

#include "base/topology.h"
#include "kernels.h"

/* The record's `machine` object, a new reference. *ops was selected with the cap `isa`. What cannot be read is null. */
json_t *measure_fingerprint(const struct base_topology *t, const struct kernel_ops *ops, enum kernel_isa isa);

#endif
