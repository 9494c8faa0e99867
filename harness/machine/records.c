/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes a machine from the records that toise measured on it: kinds "train", "kernel" and "comm" that PASSED
 * (results/README.md). Its only accelerator per node is all CPUs of the node. Power and links between nodes are
 * unknown. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/check.h"
#include "machine/document.h"
#include "machine/points.h"
#include "machine/read.h"
#include "records/get.h"
#include "records/load.h"
#include "records/record.h"

struct records {
    struct machine *m;
    const char *path, *source;
    struct base_error *e;
    json_t *machine;            /* the fingerprint of the first record */
    double nodes, passes, roof; /* most nodes; highest bytes/s of copy and triad; the same of any pass over memory */
    int year, used;
};

static struct machine_fact measured(const struct records *r, double value, const char *how) {
    struct machine_fact fact = machine_fact_make(value, value, MACHINE_MEASURED, how);
    fact.source = r->source;
    return value > 0 ? fact : machine_fact_unknown();
}

/* Keeps the higher of the fact and the value; NAN is no value. */
static void raise_to(const struct records *r, struct machine_fact *fact, double value, const char *how) {
    if (value > 0 && isfinite(value) && !(fact->value >= value)) *fact = measured(r, value, how);
}

/* CPUs of the quota; 0: no quota */
static double quota_of(const json_t *machine) {
    return fmax(0, record_real(machine, "cpu_quota.cpus"));
}

/* All records of a file must be of one kind of machine. */
static int check_same(struct records *r, const json_t *machine) {
    static const char *const keys[] = {"cpu", "sockets", "cores"};
    if (!json_is_object(machine))
        return base_fail(r->e, BASE_USAGE,
                         "%s: field \"machine\" is missing from a record; give records that toise wrote", r->path);
    if (!r->machine) r->machine = json_incref((json_t *)machine);
    for (int i = 0; i < 3; i++) {
        if (json_equal(json_object_get(r->machine, keys[i]), json_object_get(machine, keys[i]))) continue;
        return base_fail(r->e, BASE_USAGE,
                         "%s: field \"machine.%s\" differs between records (%s, %s); give records of one kind of node",
                         r->path, keys[i], record_text(r->machine, "cpu"), record_text(machine, "cpu"));
    }
    const double first = quota_of(r->machine), here = quota_of(machine);
    if (fabs(first - here) > 1e-6)
        return base_fail(r->e, BASE_USAGE,
                         "%s: field \"machine.cpu_quota.cpus\" differs between records (%g, %g; 0: no quota); give "
                         "records with the same quota",
                         r->path, first, here);
    return BASE_OK;
}

static int take_train(struct records *r, const json_t *record) {
    const double nodes = fmax(1, record_real(record, "layout.nodes"));
    struct machine_accelerator *a = &r->m->accelerator;
    enum machine_dtype t;
    r->nodes = fmax(r->nodes, nodes);
    if (machine_points_dtype(record_text(record, "config.precision"), &t))
        raise_to(r, &a->peak_flop_per_s[t], record_real(record, "result.peak_flop_per_s") / nodes,
                 "a register-only multiply-add loop on all cores of a node");
    return BASE_OK;
}

static int take_kernel(struct records *r, const struct record_line *line) {
    const json_t *result = record_at(line->record, "result");
    const char *op = record_text(result, "op");
    const double peak = record_real(result, "peak_flop_per_s");
    enum machine_dtype t;
    r->roof = fmax(r->roof, record_real(result, "bandwidth_byte_per_s"));
    if (!strcmp(op, "copy") || !strcmp(op, "triad")) r->passes = fmax(r->passes, record_real(result, "byte_per_s"));
    if (machine_points_dtype(record_text(result, "dtype"), &t)) {
        raise_to(r, &r->m->accelerator.peak_flop_per_s[t], peak, "a register-only multiply-add loop on all threads");
        if (!strcmp(op, "gemm"))
            raise_to(r, &r->m->accelerator.achieved_flop_per_s[t], record_real(result, "flop_per_s"),
                     "the fastest matmul of its shapes");
    }
    return machine_points_kernel(r->m, line);
}

static int take(void *context, const struct record_line *line) {
    struct records *r = context;
    const json_t *record = line->record;
    const char *kind = record_text(record, "kind");
    const bool train = !strcmp(kind, "train"), kernel = !strcmp(kind, "kernel"), comm = !strcmp(kind, "comm");
    r->m->inconclusive += (kernel || comm) && !strcmp(record_text(record, "status"), "INCONCLUSIVE");
    if ((!train && !kernel && !comm) || strcmp(record_text(record, "status"), "PASSED") || record_injected(record))
        return BASE_OK;
    int code = check_same(r, record_at(record, "machine"));
    if (!code && train) code = take_train(r, record);
    if (!code && kernel) code = take_kernel(r, line);
    if (!code && comm) code = machine_points_comm(r->m, line);
    r->year = atoi(record_text(record, "time"));
    r->used += !comm; /* messages alone do not describe a machine */
    return code;
}

static void describe(struct records *r) {
    struct machine *m = r->m;
    struct machine_accelerator *a = &m->accelerator;
    const char *cpu = record_text(r->machine, "cpu");
    char name[MACHINE_FILE_NAME], title[160];
    machine_file_name(r->path, name);
    snprintf(title, sizeof title, "%.100s, measured by toise", cpu[0] ? cpu : name);
    m->path = a->path = r->source;
    m->name = a->name = machine_keep(&m->texts, name);
    m->title = a->title = machine_keep(&m->texts, title);
    a->kind = MACHINE_CPU;
    a->devices = 1;
    m->year = measured(r, r->year, NULL);
    m->nodes = measured(r, r->nodes, "the most that a record has");
    m->node.accelerators = measured(r, 1, "a node's CPUs together");
    m->node.topology = machine_fact_make(MACHINE_NONE, MACHINE_NONE, MACHINE_MEASURED, "a node's CPUs together");
    m->node.memory_bytes = measured(r, record_real(r->machine, "memory_bytes"), NULL);
    m->node.sockets = measured(r, record_real(r->machine, "sockets"), NULL);
    m->node.cores = measured(r, record_real(r->machine, "cores"), NULL);
    if (r->passes > 0)
        a->memory_bytes_per_s = measured(r, r->passes, "the faster of copy and triad");
    else
        a->memory_bytes_per_s = measured(r, r->roof, "the fastest pass over memory");
}

int machine_records_read(struct machine *m, const char *path, struct base_error *e) {
    struct records r = {.m = m, .path = path, .e = e, .nodes = 1};
    r.source = machine_keep(&m->texts, path);
    int code = record_read(path, take, &r, e);
    if (!code && !r.used)
        code = base_fail(e, BASE_USAGE,
                         "%s: no record of kind \"train\" or \"kernel\" that PASSED; run toise train and toise kernels "
                         "with --out %s",
                         path, path);
    if (!code) describe(&r);
    if (!code) machine_points_finish(m);
    json_decref(r.machine);
    if (code) return code;
    machine_complete(m);
    return machine_check(m, NULL, e);
}
