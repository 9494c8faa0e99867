/* SPDX-License-Identifier: Apache-2.0
 *
 * Records of kind "kernel" as a table, one line each, and their summary. */
#include <math.h>
#include <string.h>
#include <strings.h>

#include "records/get.h"
#include "report/report.h"

/* A number in a column; a dash for NAN. */
static void column(FILE *out, int width, int decimals, double x, const char *unit) {
    if (isnan(x))
        fprintf(out, " %*s", width, "-");
    else
        fprintf(out, " %*.*f%s", width - (int)strlen(unit), decimals, x, unit);
}

/* The name of a case: its place in the model, else the operation. */
static const char *called(const json_t *result) {
    return record_text(result, "name")[0] ? record_text(result, "name") : record_text(result, "op");
}

void report_kernels_head(FILE *out, const json_t *machine, int threads, const char *from) {
    fprintf(out, "toise kernels   %s, %s, %d thread%s (%s)\n", record_text(machine, "cpu"), record_text(machine, "isa"),
            threads, threads == 1 ? "" : "s", from);
    report_quota(out, machine);
    report_blas(out, record_at(machine, "blas"));
    report_lower_bound(out, machine);
    fputc('\n', out);
    fprintf(out, "%-22s %-24s %-5s %-13s %9s %8s %7s %8s %-8s %9s %9s\n", "", "shape", "dtype", "variant", "GFLOP/s",
            "GB/s", "+-", "of roof", "bound", "/OpenBLAS", "residual");
    fflush(out);
}

void report_kernel(FILE *out, const json_t *record) {
    const json_t *r = record_at(record, "result");
    const char *status = record_text(record, "status");
    const double residual = record_real(r, "residual");
    fprintf(out, "%-22s %-24s %-5s %-13s", called(r), record_text(r, "shape"), record_text(r, "dtype"),
            record_text(r, "variant"));
    column(out, 9, 1, record_real(r, "flop_per_s") / 1e9, "");
    column(out, 8, 2, record_real(r, "byte_per_s") / 1e9, "");
    column(out, 7, 1, 50 * (record_real(r, "call_s_high") - record_real(r, "call_s_low")) / record_real(r, "call_s"),
           "%");
    column(out, 8, 1, 100 * record_real(r, "fraction_of_roof"), "%");
    fprintf(out, " %-8s", record_text(r, "bound"));
    column(out, 9, 3, record_real(r, "ratio_to_openblas"), "");
    column(out, 9, 4, isnan(residual) ? INFINITY : residual, "");
    fputs(" ", out);
    report_status(out, status);
    fputc('\n', out);
    if (!strcmp(status, "FAILED")) fprintf(out, "    FAILED: %s\n", record_text(record, "why"));
    fflush(out);
}

/* Summary of the points of one kind: the geometric mean of their fractions, in which every shape counts the same; the
 * ratio that a step sees, its time at the roofs over its measured time; and the worst point. */
struct summary {
    const char *dtype, *variant;
    bool compute; /* matmul and attention, else passes over memory */
    double log_sum, roof_s, taken_s, worst;
    int count;
    const json_t *where;
};
enum { SUMMARIES = 32 };

static void summary_add(struct summary *s, const json_t *r) {
    const double fraction = record_real(r, "fraction_of_roof"), per_step = record_real(r, "calls_per_step");
    const double taken = record_real(r, "call_s") * (isnan(per_step) ? 1 : per_step);
    s->log_sum += log(fraction);
    s->roof_s += fraction * taken;
    s->taken_s += taken;
    s->count++;
    if (fraction < s->worst) s->worst = fraction, s->where = r;
}

static struct summary *summary_of(struct summary *all, int *count, const json_t *r) {
    const struct summary s = {.dtype = record_text(r, "dtype"),
                              .variant = record_text(r, "variant"),
                              .compute = record_at(r, "flop") != NULL,
                              .worst = INFINITY};
    for (int i = 0; i < *count; i++)
        if (!strcmp(all[i].dtype, s.dtype) && !strcmp(all[i].variant, s.variant) && all[i].compute == s.compute)
            return &all[i];
    if (*count == SUMMARIES) return NULL;
    all[*count] = s;
    return &all[(*count)++];
}

/* The highest value of a roof over all records that name it in fraction_of. */
static double highest(const json_t *records, const char *roof, bool *peak) {
    double best = NAN;
    size_t i;
    json_t *record;
    json_array_foreach(records, i, record) {
        const json_t *r = record_at(record, "result");
        if (strcmp(record_text(r, "fraction_of"), roof) != 0) continue;
        *peak = !strcmp(record_text(r, "bound"), "compute");
        best = fmax(best, record_real(r, *peak ? "peak_flop_per_s" : "bandwidth_byte_per_s"));
    }
    return best;
}

/* Each roof once, where a record first names it. */
static void roofs(FILE *out, const json_t *records) {
    size_t i, before;
    json_t *record, *other;
    fputs("\nroofs: the highest measured between the samples\n", out);
    json_array_foreach(records, i, record) {
        const char *roof = record_text(record, "result.fraction_of");
        bool peak = false, shown = !roof[0];
        json_array_foreach(records, before, other) {
            if (before == i) break;
            shown = shown || !strcmp(record_text(other, "result.fraction_of"), roof);
        }
        if (shown) continue;
        const double best = highest(records, roof, &peak);
        fprintf(out, "%10.2f %s   %s\n", best / 1e9, peak ? "GFLOP/s" : "GB/s   ", roof);
    }
}

/* Each variant's micro-tile alone, and the share of it that its matmuls reach: a geometric mean. */
static void tiles(FILE *out, const json_t *records) {
    static const char *const keys[] = {"result.dtype", "result.variant"};
    size_t i, k;
    json_t *first, *r;
    json_array_foreach(records, i, first) {
        double best = 0, shares = 0;
        int count = 0;
        json_array_foreach(records, k, r) {
            const double tile = record_real(r, "result.tile_peak_flop_per_s");
            if (isnan(tile) || strcmp(record_text(r, keys[0]), record_text(first, keys[0])) != 0 ||
                strcmp(record_text(r, keys[1]), record_text(first, keys[1])) != 0)
                continue;
            if (!count && k != i) break; /* shown before */
            best = fmax(best, tile), shares += log(record_real(r, "result.flop_per_s") / tile), count++;
        }
        if (count)
            fprintf(out, "%10.2f GFLOP/s   %s %s micro-tile alone, in L1: matmuls reach %.1f%%\n", best / 1e9,
                    record_text(first, keys[0]), record_text(first, keys[1]), 100 * exp(shares / count));
    }
}

/* The core type that OpenBLAS uses, the rates of the others, and the cure. */
static void openblas(FILE *out, const json_t *record) {
    const json_t *r = record_at(record, "result"), *cores = record_at(r, "cores"), *c;
    const double now = record_real(json_array_get(cores, 0), "flop_per_s"), best = now * record_real(r, "gain");
    const bool known = !strcasecmp(record_text(r, "forced"), record_text(r, "core"));
    size_t i;
    fprintf(out, "\nOpenBLAS runs as core type %s, ", record_text(r, "core"));
    if (record_text(r, "forced")[0])
        fprintf(out, known ? "forced by OPENBLAS_CORETYPE=%s" : "although OPENBLAS_CORETYPE=%s asks for another",
                record_text(r, "forced"));
    else
        fputs("its own choice", out);
    if (!record_true(r, "dynamic_arch")) {
        fputs("; it was built for this one only (no DYNAMIC_ARCH)\n", out);
        return;
    }
    fputs(". FP32 matmuls by core type, GFLOP/s:\n ", out);
    json_array_foreach(cores, i, c) {
        const char *name = record_text(c, "core")[0] ? record_text(c, "core") : record_text(c, "coretype");
        const char *note = i == 0 ? " (now)" : record_text(c, "coretype")[0] == 0 ? " (its own choice)" : "";
        if (isnan(record_real(c, "flop_per_s")))
            fprintf(out, "  %s cannot run", name);
        else
            fprintf(out, "  %s %.1f%s", name, record_real(c, "flop_per_s") / 1e9, note);
    }
    if (record_true(r, "wrong"))
        fprintf(out, "\nThis is the wrong one: %.1f GFLOP/s, %.0f%%, are lost. The cure:  %s\n%s", (best - now) / 1e9,
                100 * (1 - now / best), record_text(r, "cure"),
                record_true(r, "timed")
                    ? ""
                    : "So its matmuls were not timed: apply the cure, or name openblas in --isa.\n");
    else if (isnan(now))
        fputs("\nThe one in use could not be timed, so there is nothing to compare with.\n", out);
    else
        fputs("\nNo other is 1.2 times as fast, so this is not the wrong one.\n", out);
}

void report_kernels_end(FILE *out, const json_t *records) {
    struct summary all[SUMMARIES];
    bool per_step = false;
    int count = 0;
    size_t i;
    json_t *record;
    json_array_foreach(records, i, record) {
        const json_t *r = record_at(record, "result");
        struct summary *s = isnan(record_real(r, "fraction_of_roof")) ? NULL : summary_of(all, &count, r);
        if (s) summary_add(s, r);
        per_step = per_step || record_at(r, "calls_per_step");
    }
    fprintf(out, "\n%-22s %-5s %-13s %6s %16s %10s   %s\n", "of the roof", "dtype", "variant", "points",
            "geometric mean", "by time", "worst");
    for (int k = 0; k < count; k++)
        fprintf(out, "%-22s %-5s %-13s %6d %15.1f%% %9.1f%%   %.1f%% %s %s\n",
                all[k].compute ? "matmul, attention" : "passes over memory", all[k].dtype, all[k].variant, all[k].count,
                100 * exp(all[k].log_sum / all[k].count), 100 * all[k].roof_s / all[k].taken_s, 100 * all[k].worst,
                called(all[k].where), record_text(all[k].where, "shape"));
    fprintf(out, "by time: time at the roofs over measured time, each shape once%s\n",
            per_step ? ", matmuls and attention as often as a step calls them" : "");
    roofs(out, records);
    tiles(out, records);
    json_array_foreach(records, i, record) if (!strcmp(record_text(record, "kind"), "openblas")) openblas(out, record);
}

void report_kernels_plan(FILE *out, const json_t *cases) {
    size_t i;
    json_t *c;
    fprintf(out, "%-22s %-24s %-5s %12s %12s %12s\n", "", "shape", "dtype", "GFLOP", "MB", "FLOP/byte");
    json_array_foreach(cases, i, c) {
        fprintf(out, "%-22s %-24s %-5s", called(c), record_text(c, "shape"), record_text(c, "dtype"));
        column(out, 12, 3, record_real(c, "flop") / 1e9, "");
        column(out, 12, 3, record_real(c, "bytes") / 1e6, "");
        column(out, 12, 1, record_real(c, "flop") / record_real(c, "bytes"), "");
        fputc('\n', out);
    }
    fprintf(out, "%zu shapes\n", json_array_size(cases));
}
