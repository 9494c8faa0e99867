/* SPDX-License-Identifier: Apache-2.0
 *
 * Sizes of nccl-tests as records of kind "comm". */
#define _GNU_SOURCE
#include "import/nccl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static const struct {
    const char *program, *op; /* theirs and ours */
} names[] = {{"all_reduce", "all_reduce"}, {"all_gather", "all_gather"}, {"reduce_scatter", "reduce_scatter"},
             {"broadcast", "broadcast"},   {"reduce", "reduce"},         {"alltoallv", "all_to_all_v"},
             {"alltoall", "all_to_all"},   {"sendrecv", "sendrecv"},     {"gather", "gather"},
             {"scatter", "scatter"},       {"hypercube", "hypercube"}};
enum { NAMES = sizeof names / sizeof *names };

const char *import_op_name(int i) {
    return i < NAMES ? names[i].op : NULL;
}

bool import_nccl_program(const char *text, char op[32]) {
    const size_t length = strcspn(text, " \t");
    for (int i = 0; i < NAMES; i++) {
        char program[48];
        const size_t n = (size_t)snprintf(program, sizeof program, "%s_perf", names[i].program);
        const char *at = length >= n ? memmem(text, length, program, n) : NULL;
        if (!at || (at > text && at[-1] != '/')) continue;
        snprintf(op, 32, "%s", names[i].op);
        return true;
    }
    return false;
}

int import_nccl_op(struct import_job *job, struct nccl_run *run, long line) {
    const char *given = job->options->op < 0 ? NULL : names[job->options->op].op;
    if (given && run->op[0] && strcmp(given, run->op) != 0)
        return base_fail(job->e, BASE_USAGE, "%s: is of %s, but --op says %s; leave out --op", job->path, run->op,
                         given);
    if (given) snprintf(run->op, sizeof run->op, "%s", given);
    if (run->op[0]) return BASE_OK;
    return base_fail(job->e, BASE_USAGE,
                     "%s: line %ld: no line above the table names the collective, as nccl-tests before 2.17 does not; "
                     "give it with --op all_reduce",
                     job->path, line);
}

static const char *dtype_of(const char *type) {
    static const char *const theirs[] = {"float", "double", "half", "bfloat16", NULL}, *const ours[] = {"f32", "f64",
                                                                                                        "f16", "bf16"};
    for (int i = 0; theirs[i]; i++)
        if (!strcmp(type, theirs[i])) return ours[i];
    return type;
}

static json_t *samples_of(const struct nccl_run *run, const struct nccl_point *p, double **x, int *n) {
    json_t *o = json_object();
    *n = p->times_us ? (int)json_array_size(p->times_us) : 1;
    *x = malloc((size_t)(*n + 1) * sizeof **x);
    if (!*x) *n = 0;
    for (int i = 0; i < *n; i++)
        (*x)[i] = p->times_us ? 1e-6 * json_number_value(json_array_get(p->times_us, (size_t)i)) : p->time_s;
    record_set(o, "time_s", record_numbers(*x, *n));
    if (p->times_us)
        record_set_integer(o, "calls", 1);
    else if (run->iterations)
        record_set_integer(o, "calls", run->iterations);
    if (run->warmup >= 0) record_set_integer(o, "warmup_calls", run->warmup);
    return o;
}

static json_t *result_of(const struct nccl_run *run, const struct nccl_point *p, const double *x, int n) {
    json_t *o = json_object();
    record_set(o, "op", json_string(run->op));
    record_set(o, "dtype", json_string(dtype_of(p->type)));
    record_set_integer(o, "bytes", (int64_t)p->bytes), record_set_integer(o, "count", (int64_t)p->count);
    if (p->redop[0]) record_set(o, "redop", json_string(p->redop));
    record_set_integer(o, "root", p->root);
    record_set(o, "place", json_string(p->in_place ? "in" : "out"));
    record_set_number(o, "wrong", p->wrong);
    if (p->wrong > 0) return o; /* as in toise's own records: no rate */
    if (p->times_us)
        import_set_median(o, "time_s", x, n);
    else
        record_set_number(o, "time_s", p->time_s); /* a mean; its interval is unknown */
    record_set_number(o, "algbw_byte_per_s", p->algbw), record_set_number(o, "busbw_byte_per_s", p->busbw);
    if (!isfinite(p->max_s)) return o;
    record_set_number(o, "min_s", p->min_s), record_set_number(o, "max_s", p->max_s);
    record_set_number(o, "p99_s", p->p99_s), record_set_number(o, "cv", p->cv);
    return o;
}

void import_nccl_record(struct import_job *job, const struct nccl_run *run, const struct nccl_point *p, int launch) {
    const bool failed = p->wrong > 0;
    json_t *record =
        import_record(job, "comm", failed ? RECORD_FAILED : RECORD_UNVERIFIED,
                      failed ? "nccl-tests found wrong elements" : "from nccl-tests: toise checked nothing", launch,
                      p->line, p->line);
    json_t *machine = json_object_get(record, "machine"), *layout = json_object();
    double *x;
    int n;
    json_t *samples = samples_of(run, p, &x, &n);
    record_set(record, "result", result_of(run, p, x, n));
    record_set(record, "samples", failed ? json_object() : json_incref(samples));
    json_decref(samples);
    free(x);
    if (!job->options->node && run->host[0]) record_set(machine, "host", json_string(run->host));
    if (run->device[0]) record_set(machine, "accelerator", json_string(run->device));
    if (run->ranks) record_set_integer(layout, "world", run->ranks);
    if (run->nodes) record_set_integer(layout, "nodes", run->nodes);
    record_set(record, "layout", layout);
    if (run->nodes && !job->options->nodes) record_set_integer(json_object_get(record, "launch"), "nodes", run->nodes);
}
