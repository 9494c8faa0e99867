/* SPDX-License-Identifier: Apache-2.0
 *
 * Collects the parts of the machine object. */
#include "inventory/fingerprint.h"

#include "inventory/facts.h"
#include "inventory/reader.h"

json_t *inventory_fingerprint_under(const char *root, const struct base_topology *t, const struct kernel_ops *ops,
                                    enum kernel_isa isa) {
    char hash[INVENTORY_FINGERPRINT];
    struct inventory_reader r = {.root = root, .topology = t, .machine = json_object(), .unknown = json_object()};
    inventory_cpu(&r); /* first: it tells whether this is a virtual machine */
    inventory_system(&r);
    inventory_frequency(&r);
    inventory_memory(&r);
    inventory_modules(&r);
    inventory_network(&r);
    inventory_limits(&r);
    inventory_software(&r, ops, isa);
    json_object_set_new(r.machine, "unknown", r.unknown);
    inventory_hash(r.machine, hash);
    json_object_set_new(r.machine, "fingerprint", json_string(hash));
    return r.machine;
}

json_t *inventory_fingerprint(const struct base_topology *t, const struct kernel_ops *ops, enum kernel_isa isa) {
    return inventory_fingerprint_under("", t, ops, isa);
}
