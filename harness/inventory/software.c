/* SPDX-License-Identifier: Apache-2.0
 *
 * What was built, with what, and which kernels and libraries run. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "comm/comm.h"
#include "inventory/reader.h"

/* {"gemm": "avx512", ...} for every operation of the list. Each operation has a reference variant, so those entries
 * name them all. */
static json_t *variants(const struct kernel_ops *ops) {
    static const char *const operations[] = {
#define K(operation, isa) NAME_##isa(operation)
#define NAME_ref(operation) #operation,
#define NAME_neon(operation)
#define NAME_avx2(operation)
#define NAME_avx512(operation)
#define NAME_avx512bf16(operation)
#define NAME_openblas(operation)
#include "list.h"
#undef K
    };
    json_t *object = json_object();
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        const char *name = kernel_variant(ops, operations[i]);
        json_object_set_new(object, operations[i], name ? json_string(name) : json_null());
    }
    return object;
}

static const char *compiler(void) {
#if defined(__clang__)
    return __VERSION__; /* starts with the compiler's name */
#else
    return "gcc " __VERSION__;
#endif
}

/* Open MPI chooses one pml for all messages. ob1 sends by btl, cm by one mtl. */
static void put_components(struct inventory_reader *r) {
    char pml[64], btl[256], mtl[256];
    const char *why = comm_components("pml", pml, sizeof pml) ? NULL : "MPI does not say";
    if (why && !comm_launched()) why = "started without MPI";
    comm_components("btl", btl, sizeof btl);
    comm_components("mtl", mtl, sizeof mtl);
    const bool ob1 = !strcmp(pml, "ob1"), cm = !strcmp(pml, "cm"), several = cm && strchr(mtl, ',');
    inventory_put_text(r, "mpi_components.pml", pml, why);
    inventory_put_text(r, "mpi_components.btl", ob1 ? btl : "", why);
    inventory_put_text(r, "mpi_components.mtl", cm && !several ? mtl : "", several ? "several are open" : why);
    inventory_put(r, "mpi_components.osc", NULL, why ? why : "chosen for each window, and toise makes none");
}

void inventory_software(struct inventory_reader *r, const struct kernel_ops *ops, enum kernel_isa isa) {
    char hwloc[32], libc[64] = "";
    confstr(_CS_GNU_LIBC_VERSION, libc, sizeof libc);
    base_topology_library(hwloc, sizeof hwloc);
    inventory_put_text(r, "isa", kernel_isa_name(isa), NULL);
    inventory_put(r, "bf16_native", json_boolean(kernel_bf16_native(ops)), NULL);
    inventory_put(r, "kernels", variants(ops), NULL);
    inventory_put_text(r, "openblas.config", kernel_openblas_config(), "absent");
    inventory_put_text(r, "openblas.core", kernel_openblas_core(), "absent");
    inventory_put_text(r, "mpi", comm_library(), "absent");
    put_components(r);
    inventory_put_text(r, "compiler", compiler(), "absent");
    inventory_put_text(r, "compiler_flags", TOISE_FLAGS, NULL);
    inventory_put_text(r, "libc", libc, "absent");
    inventory_put_text(r, "versions.toise", TOISE_VERSION, NULL);
    inventory_put_text(r, "versions.hwloc", hwloc, "absent");
    inventory_put_text(r, "versions.jansson", jansson_version_str(), "absent");
}
