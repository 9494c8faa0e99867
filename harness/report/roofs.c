/* SPDX-License-Identifier: Apache-2.0
 *
 * A record of kind "roofs" as a page: a line for each roof, a column for each number of threads. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "records/get.h"
#include "report/report.h"

enum { COUNTS = 16 }; /* numbers of threads in a table */

static bool is_peak(const json_t *row) {
    return !strcmp(record_text(row, "kind"), "peak");
}

/* Whether two rows are of one roof and differ in threads only. */
static bool same_roof(const json_t *a, const json_t *b) {
    static const char *const words[] = {"kind", "variant", "dtype", "pass"};
    static const char *const numbers[] = {"level", "node", "memory_node"};
    for (int i = 0; i < 4; i++)
        if (strcmp(record_text(a, words[i]), record_text(b, words[i])) != 0) return false;
    for (int i = 0; i < 3; i++)
        if (!json_equal(record_at(a, numbers[i]), record_at(b, numbers[i])) &&
            (record_at(a, numbers[i]) || record_at(b, numbers[i])))
            return false;
    return true;
}

/* "f32 avx512", "L2 copy", "node 0 read", "node 1 to 0 read" */
static void label(const json_t *row, char *text, size_t size) {
    const char *pass = record_text(row, "pass");
    if (is_peak(row))
        snprintf(text, size, "%s %s", record_text(row, "dtype"), record_text(row, "variant"));
    else if (!strcmp(record_text(row, "kind"), "cache"))
        snprintf(text, size, "L%lld %s", record_whole(row, "level"), pass);
    else if (!json_is_integer(record_at(row, "node")))
        snprintf(text, size, "memory %s", pass);
    else if (record_whole(row, "node") == record_whole(row, "memory_node"))
        snprintf(text, size, "memory, node %lld %s", record_whole(row, "node"), pass);
    else
        snprintf(text, size, "memory, node %lld to %lld %s", record_whole(row, "node"),
                 record_whole(row, "memory_node"), pass);
}

/* The numbers of threads of all rows, ascending. */
static int counts_of(const json_t *rows, long long counts[COUNTS]) {
    int n = 0;
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row) {
        const long long threads = record_whole(row, "threads");
        int at = 0;
        while (at < n && counts[at] < threads) at++;
        if ((at < n && counts[at] == threads) || n == COUNTS) continue;
        memmove(counts + at + 1, counts + at, (size_t)(n++ - at) * sizeof *counts);
        counts[at] = threads;
    }
    return n;
}

static const json_t *row_of(const json_t *rows, const json_t *like, long long threads) {
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row) if (record_whole(row, "threads") == threads && same_roof(row, like)) return row;
    return NULL;
}

/* One roof on all numbers of threads, and the widest half-width of its intervals. */
static void line(FILE *out, const json_t *rows, const json_t *first, const long long *counts, int n) {
    const char *key = is_peak(first) ? "flop_per_s" : "byte_per_s";
    char name[64], set[32] = "-", low[32], high[32];
    double widest = 0;
    label(first, name, sizeof name);
    if (!is_peak(first)) base_text_bytes(record_real(first, "working_set_bytes"), set, sizeof set);
    snprintf(low, sizeof low, "%s_low", key), snprintf(high, sizeof high, "%s_high", key);
    fprintf(out, "%-28s %10s", name, set);
    for (int i = 0; i < n; i++) {
        const json_t *row = row_of(rows, first, counts[i]);
        const double rate = record_real(row, key);
        if (isnan(rate))
            fprintf(out, " %9s", row ? record_text(row, "status") : "-");
        else
            fprintf(out, " %9.1f", rate / 1e9);
        if (!isnan(rate)) widest = fmax(widest, (record_real(row, high) - record_real(row, low)) / 2 / rate);
    }
    fprintf(out, " %7.1f%%\n", 100 * widest);
}

static void table(FILE *out, const json_t *rows, bool peaks, const long long *counts, int n) {
    size_t i, before;
    json_t *row, *other;
    fprintf(out, "\n%-28s %10s", peaks ? "peak, GFLOP/s" : "bandwidth, GB/s", peaks ? "" : "set");
    for (int k = 0; k < n; k++) fprintf(out, " %7lld t", counts[k]);
    fprintf(out, " %8s\n", "+-");
    json_array_foreach(rows, i, row) {
        bool shown = is_peak(row) != peaks;
        json_array_foreach(rows, before, other) {
            if (before == i || shown) break;
            shown = same_roof(other, row);
        }
        if (!shown) line(out, rows, row, counts, n);
    }
}

static void headline(FILE *out, const json_t *result, const char *key, const char *rate, const char *unit) {
    const char *name;
    json_t *one;
    json_object_foreach(record_at(result, key), name, one) {
        if (isnan(record_real(one, rate))) continue;
        fprintf(out, "%10.1f %-8s %s", record_real(one, rate) / 1e9, unit, record_text(one, "name"));
        if (!isnan(record_real(one, "fraction")))
            fprintf(out, ": %.1f%% of the %s, %.1f", 100 * record_real(one, "fraction"),
                    record_text(one, "fraction_of"), record_real(one, "nominal_flop_per_s") / 1e9);
        fputc('\n', out);
    }
}

void report_roofs(FILE *out, const json_t *record) {
    const json_t *r = record_at(record, "result"), *rows = record_at(r, "rows"), *row;
    const long long threads = record_whole(record, "layout.threads");
    long long counts[COUNTS];
    size_t i;
    fprintf(out, "toise roofs   %s, %lld thread%s (%s)   ", record_text(record, "machine.cpu"), threads,
            threads == 1 ? "" : "s", record_text(record, "layout.threads_from"));
    report_status(out, record_text(record, "status"));
    if (record_text(record, "why")[0]) fprintf(out, ": %s", record_text(record, "why"));
    fputc('\n', out);
    report_quota(out, record_at(record, "machine"));
    report_lower_bound(out, record_at(record, "machine"));
    const int n = counts_of(rows, counts);
    table(out, rows, true, counts, n);
    table(out, rows, false, counts, n);
    fputs("t: threads, all at once. set: working set of a thread in a cache, of all arrays in memory. "
          "+-: widest half-width of a line's 95% intervals\n",
          out);
    json_array_foreach(rows, i, row) if (record_text(row, "note")[0])
        fprintf(out, "note: %s: %s\n", record_text(row, "name"), record_text(row, "note"));
    json_array_foreach(record_at(r, "skipped"), i, row)
        fprintf(out, "SKIP %s: %s\n", record_text(row, "name"), record_text(row, "why"));
    fputs("\nroofs\n", out);
    headline(out, r, "peak", "flop_per_s", "GFLOP/s");
    headline(out, r, "memory", "byte_per_s", "GB/s");
    fflush(out);
}
