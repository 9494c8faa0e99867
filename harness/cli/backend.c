/* SPDX-License-Identifier: Apache-2.0
 *
 * Loads a backend's library on all ranks, which agree on each error. */
#include "cli/backend.h"

#include <stdio.h>
#include <string.h>

#include "inventory/alike.h"

static const char CBLAS[] = "cblas:";

int cli_backend_read(struct cli_backend *b, const char *word, struct base_error *e) {
    *b = (struct cli_backend){.linked = KERNEL_BACKEND_TOISE};
    if (!strcmp(word, "toise")) return BASE_OK;
    if (!strcmp(word, "openblas")) {
        b->linked = KERNEL_BACKEND_OPENBLAS;
        return BASE_OK;
    }
    if (!strcmp(word, "cblas") || !strcmp(word, CBLAS))
        return base_fail(e, BASE_USAGE, "--backend %s: give the library's path: cblas:/opt/blis/lib/libblis.so", word);
    if (strncmp(word, CBLAS, strlen(CBLAS)) != 0)
        return base_fail(e, BASE_USAGE, "--backend: unknown \"%.64s\"; take toise, openblas or cblas:PATH", word);
    b->path = word + strlen(CBLAS);
    return BASE_OK;
}

/* Whether another library than toise does. */
static bool multiplies(const struct cli_backend *b) {
    return b->path || b->linked == KERNEL_BACKEND_OPENBLAS;
}

/* Nodes may hold different files of one name. */
static int check_same(const struct backend *b, struct comm *world, struct base_error *e) {
    char mine[160], say[512];
    snprintf(mine, sizeof mine, "%lld bytes, %s", b->bytes, b->version);
    if (inventory_alike(world, mine, say, sizeof say)) return BASE_OK;
    return base_fail(e, BASE_USAGE,
                     "--backend: %s is not the same library on all nodes: %s; install the same everywhere", b->path,
                     say);
}

int cli_backend_open(struct cli_backend *b, struct kernel_ops *ops, const struct measure_placement *placement,
                     struct comm *world, struct base_error *e) {
    if (!b->path && b->linked == KERNEL_BACKEND_OPENBLAS) backend_linked(&b->library, placement->threads);
    if (!b->path) return BASE_OK;
    if (!placement->loose) base_cpus_confine(&placement->cpus);
    int code = comm_agree(world, backend_open(&b->library, b->path, placement->threads, e), e);
    if (!code) code = comm_agree(world, check_same(&b->library, world, e), e);
    if (!code) kernel_select_cblas(ops, &b->library.cblas);
    return code;
}

int cli_backend_count(struct cli_backend *b, struct comm *world, struct base_error *e) {
    char warning[PATH_MAX + 128];
    if (!multiplies(b)) return BASE_OK;
    const int code = comm_agree(world, backend_count(&b->library, e), e);
    if (code) return code;
    backend_warning(&b->library, warning, sizeof warning);
    if (warning[0] && world->rank == 0) fprintf(stderr, "toise: %s\n", warning);
    return BASE_OK;
}

void cli_backend_record(const struct cli_backend *b, json_t *machine) {
    if (multiplies(b)) json_object_set_new(machine, "blas", backend_json(&b->library));
}
