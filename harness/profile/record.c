/* SPDX-License-Identifier: Apache-2.0
 *
 * The profile in a record. A rate is the ledger's work over the clock's seconds, and its roof is the least time that
 * peak and bandwidth allow (Williams et al. 2009). */
#include <math.h>
#include <stdlib.h>

#include "profile/profile.h"
#include "records/set.h"

static int slower_first(const void *a, const void *b) {
    const double x = ((const struct profile_row *)a)->seconds, y = ((const struct profile_row *)b)->seconds;
    return (x < y) - (x > y);
}

/* Passes that are fused into a matmul have work in the ledger, but no call; they have no row. */
static json_t *row_of(const struct profile *p, const struct profile_row *r) {
    const double seconds = r->seconds / p->steps;
    const double compute = r->flop > 0 ? r->flop / p->peak : 0, memory = r->bytes / p->bandwidth;
    json_t *o = json_object();
    record_set(o, "name", json_string(r->name));
    record_set(o, "phase", json_string(plan_phase_name(r->phase)));
    if (r->op[0]) record_set(o, "op", json_string(r->op));
    record_set_number(o, "calls", r->calls / p->steps);
    record_set_number(o, "seconds", seconds);
    record_set_number(o, "share", r->seconds / p->seconds);
    if (r->flop > 0) record_set_number(o, "flop_per_s", r->flop / seconds);
    if (r->bytes > 0) record_set_number(o, "byte_per_s", r->bytes / seconds);
    if (r->flop <= 0 && r->bytes <= 0) return o;
    /* of an operation with arithmetic the peak is known even if the bandwidth is not */
    const double least = r->flop > 0 && !(memory > compute) ? compute : memory;
    record_set(o, "bound", json_string(least == memory ? "memory" : "compute"));
    record_set_number(o, "of_roof", least / seconds);
    return o;
}

json_t *profile_record(const struct profile *p) {
    struct profile_row sorted[PROFILE_ROWS_MOST];
    json_t *o = json_object(), *rows = json_array();
    double sum = 0;
    int count = 0;
    for (int i = 0; i < p->row_count; i++)
        if (p->rows[i].calls > 0) sorted[count++] = p->rows[i], sum += p->rows[i].seconds;
    qsort(sorted, (size_t)count, sizeof *sorted, slower_first);
    for (int i = 0; i < count; i++) json_array_append_new(rows, row_of(p, &sorted[i]));
    record_set_integer(o, "steps", p->steps);
    record_set_number(o, "step_s", p->seconds / p->steps);
    record_set_number(o, "covered", sum / p->seconds);
    record_set_number(o, "peak_flop_per_s", p->peak);
    record_set_number(o, "bandwidth_byte_per_s", p->bandwidth);
    record_set(o, "bandwidth_of", json_string(p->bandwidth_text));
    record_set(o, "rows", rows);
    return o;
}
