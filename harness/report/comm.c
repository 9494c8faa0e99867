/* SPDX-License-Identifier: Apache-2.0
 *
 * Records of kind "comm" as a table, one line each, in the columns of nccl-tests with its report of single iterations
 * (src/util.cu), followed by the median's interval and the hidden share. */
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "records/get.h"
#include "report/report.h"

static void head(FILE *out, const json_t *record) {
    const json_t *layout = record_at(record, "layout"), *machine = record_at(record, "machine");
    const char *pml = record_text(machine, "mpi_components.pml"), *btl = record_text(machine, "mpi_components.btl");
    const char *mtl = record_text(machine, "mpi_components.mtl");
    fprintf(out, "toise comm   %s: %lld ranks of %lld thread%s on %lld node%s; threads by %s\n",
            record_text(machine, "cpu"), record_whole(layout, "world"), record_whole(layout, "threads"),
            report_plural(record_whole(layout, "threads")), record_whole(layout, "nodes"),
            report_plural(record_whole(layout, "nodes")), record_text(layout, "threads_from"));
    fprintf(out, "mpi          %.*s: ", (int)strcspn(record_text(machine, "mpi"), ","), record_text(machine, "mpi"));
    fprintf(out, pml[0] ? "pml %s" : "its components are unknown", pml);
    if (btl[0]) fprintf(out, "; btl %s", btl);
    if (mtl[0]) fprintf(out, "; mtl %s", mtl);
    fprintf(out, "\n");
    report_quota(out, machine);
}

/* The operation and its ranks, then two lines with the names and units of the columns. */
static void section(FILE *out, const json_t *r) {
    static const char *const columns[][2] = {
        {"size", "(B)"},   {"count", "(elements)"}, {"type", ""},        {"redop", ""},  {"root", ""},
        {"time", "(us)"},  {"algbw", "(GB/s)"},     {"busbw", "(GB/s)"}, {"#wrong", ""}, {"i_min", "(us)"},
        {"i_max", "(us)"}, {"i_p99", "(us)"},       {"i_cv%", "(%)"},    {"+-", "(%)"},  {"hidden", ""}};
    static const int widths[] = {12, 12, 8, 6, 6, 9, 8, 8, 7, 9, 9, 9, 7, 6, 15};
    const long long groups = record_whole(r, "groups"), ranks = record_whole(r, "group_ranks");
    fprintf(out, "\n# %s, %s, group %s: ", record_text(r, "op"),
            !strcmp(record_text(r, "place"), "in") ? "in-place" : "out-of-place", record_text(r, "group"));
    if (groups > 1) fprintf(out, "%lld at once, each of ", groups);
    fprintf(out, "%lld rank%s on %lld node%s\n", ranks, report_plural(ranks), record_whole(r, "group_nodes"),
            report_plural(record_whole(r, "group_nodes")));
    for (int line = 0; line < 2; line++) {
        fprintf(out, "#");
        for (int i = 0; i < (int)(sizeof widths / sizeof *widths); i++)
            fprintf(out, "%*s", i ? widths[i] : widths[i] - 1, columns[i][line]);
        fprintf(out, "\n");
    }
}

/* A figure with as many decimals as leave it readable; a dash if there is none. */
static void figure(FILE *out, int width, double x) {
    if (isnan(x))
        fprintf(out, "%*s", width, "-");
    else
        fprintf(out, "%*.*f", width, fabs(x) < 1000 ? 2 : fabs(x) < 10000 ? 1 : 0, x);
}

/* The interval of the hidden share. Small sums were not measured with compute. */
static void hidden(FILE *out, const json_t *r) {
    char text[32] = "-";
    if (!isnan(record_real(r, "hidden")))
        snprintf(text, sizeof text, "%.0f-%.0f%%", 100 * record_real(r, "hidden_low"),
                 100 * record_real(r, "hidden_high"));
    else if (!isnan(record_real(r, "cost_s")))
        snprintf(text, sizeof text, "not measurable");
    fprintf(out, " %14s", text);
}

/* nccl-tests' name of the dtype */
static const char *type_of(const json_t *r) {
    return !strcmp(record_text(r, "dtype"), "f32") ? "float" : record_text(r, "dtype");
}

static void row(FILE *out, const json_t *record, const json_t *r) {
    const double s = record_real(r, "time_s");
    fprintf(out, "%12lld%12lld%8s%6s%6lld", record_whole(r, "bytes"), record_whole(r, "count"), type_of(r),
            record_text(r, "redop"), record_whole(r, "root"));
    figure(out, 9, 1e6 * s);
    figure(out, 8, record_real(r, "algbw_byte_per_s") / 1e9);
    figure(out, 8, record_real(r, "busbw_byte_per_s") / 1e9);
    fprintf(out, "%7.0f", record_real(r, "wrong"));
    figure(out, 9, 1e6 * record_real(r, "min_s"));
    figure(out, 9, 1e6 * record_real(r, "max_s"));
    figure(out, 9, 1e6 * record_real(r, "p99_s"));
    figure(out, 7, 100 * record_real(r, "cv"));
    fprintf(out, " ");
    figure(out, 5, 50 * (record_real(r, "time_s_high") - record_real(r, "time_s_low")) / s);
    hidden(out, r);
    fprintf(out, " %s\n", record_text(record, "status"));
    if (!strcmp(record_text(record, "status"), "FAILED")) fprintf(out, "    FAILED: %s\n", record_text(record, "why"));
}

/* The lines through the times. */
static void fit(FILE *out, const json_t *r) {
    const json_t *range;
    size_t i;
    if (!json_array_size(record_at(r, "ranges"))) fprintf(out, "# no fit\n");
    json_array_foreach(record_at(r, "ranges"), i, range) {
        char from[32], to[32];
        const double high = record_real(range, "byte_per_s_high") / 1e9;
        base_text_bytes(record_real(range, "from_bytes"), from, sizeof from);
        base_text_bytes(record_real(range, "to_bytes"), to, sizeof to);
        fprintf(out, "# %-5s %10s to %-10s alpha %.2f us [%.2f, %.2f], ", i ? "then" : "fit", from, to,
                1e6 * record_real(range, "alpha_s"), 1e6 * record_real(range, "alpha_s_low"),
                1e6 * record_real(range, "alpha_s_high"));
        if (isnan(high))
            fprintf(out, "bandwidth not measurable, above %.3f GB/s\n", record_real(range, "byte_per_s_low") / 1e9);
        else
            fprintf(out, "bandwidth %.3f GB/s [%.3f, %.3f]\n", record_real(range, "byte_per_s") / 1e9,
                    record_real(range, "byte_per_s_low") / 1e9, high);
    }
}

static void share(FILE *out, const json_t *r) {
    fprintf(out,
            "\nhidden: share of the time that does not slow matmuls running meanwhile, 95%% interval; not measurable\n"
            "if the interval includes zero. While all ranks compute, a rank keeps\n"
            "%.0f%% of its matmul rate alone, and %.0f%% of its passes over memory.\n",
            100 * record_real(r, "matmul"), 100 * record_real(r, "pass"));
}

void report_comm(FILE *out, const json_t *record, const json_t *last) {
    const json_t *r = record_at(record, "result"), *before = record_at(last, "result");
    const char *op = record_text(r, "op");
    if (!last) head(out, record);
    if (!strcmp(op, "share")) {
        share(out, r);
    } else if (!strcmp(op, "fit")) {
        fit(out, r);
    } else {
        const bool same = before && !strcmp(record_text(before, "op"), op) &&
                          !strcmp(record_text(before, "group"), record_text(r, "group"));
        if (!same) section(out, r);
        row(out, record, r);
    }
    const char *why = record_text(record, "why"), *said = record_text(last, "why");
    if (!strcmp(record_text(record, "status"), "INCONCLUSIVE") && strcmp(why, said)) fprintf(out, "    %s\n", why);
    fflush(out);
}

/* A figure, or nothing. */
static void cell(FILE *out, double x) {
    if (isnan(x))
        fprintf(out, ",");
    else
        fprintf(out, ",%.9g", x);
}

void report_comm_csv(FILE *out, const json_t *records) {
    static const struct {
        const char *key;
        double unit;
    } figures[] = {{"time_s", 1e6},
                   {"time_s_low", 1e6},
                   {"time_s_high", 1e6},
                   {"algbw_byte_per_s", 1e-9},
                   {"busbw_byte_per_s", 1e-9},
                   {"wrong", 1},
                   {"min_s", 1e6},
                   {"max_s", 1e6},
                   {"p99_s", 1e6},
                   {"cv", 100}};
    const json_t *record;
    size_t i;
    fprintf(out, "op,place,group,ranks,nodes,size_B,count,type,redop,root,time_us,time_low_us,time_high_us,algbw_GB_s,"
                 "busbw_GB_s,wrong,min_us,max_us,p99_us,cv_percent,status\n");
    json_array_foreach(records, i, record) {
        const json_t *r = record_at(record, "result");
        if (!record_at(r, "bytes")) continue;
        fprintf(out, "%s,%s,%s,%lld,%lld,%lld,%lld,%s,%s,%lld", record_text(r, "op"), record_text(r, "place"),
                record_text(r, "group"), record_whole(r, "group_ranks"), record_whole(r, "group_nodes"),
                record_whole(r, "bytes"), record_whole(r, "count"), type_of(r), record_text(r, "redop"),
                record_whole(r, "root"));
        for (size_t k = 0; k < sizeof figures / sizeof *figures; k++)
            cell(out, figures[k].unit * record_real(r, figures[k].key));
        fprintf(out, ",%s\n", record_text(record, "status"));
    }
}
