/* SPDX-License-Identifier: Apache-2.0
 *
 * A record of kind "ab" as a page. */
#include <math.h>
#include <string.h>

#include "base/stats.h"
#include "base/text.h"
#include "records/get.h"
#include "report/report.h"

enum { BLOCKS = 1000 };

/* The metric's value: seconds as a duration, anything else as a number. */
static void value_text(const json_t *config, double x, char *text, int size) {
    const char *metric = record_text(config, "metric");
    const bool time =
        !strcmp(metric, "wall time") || (base_text_ends(metric, "_s") && !base_text_ends(metric, "_per_s"));
    if (time)
        base_text_duration(x, text, size);
    else
        base_text_si(x, text, size);
}

/* One command: its median, and how many of its runs were disturbed. */
static void side(FILE *out, const json_t *record, const char *name, const char *key) {
    const json_t *config = record_at(record, "config"), *samples = record_at(record_at(record, "samples"), key);
    const size_t warmup = (size_t)record_whole(config, "warmup");
    double x[BLOCKS];
    char text[32] = "-";
    const size_t n = record_reals(samples, "value", x, BLOCKS);
    int marked = 0;
    for (size_t i = warmup; i < n; i++) marked += json_array_size(json_array_get(record_at(samples, "marks"), i)) > 0;
    if (n > warmup) value_text(config, base_stats_quantile(x + warmup, (int)(n - warmup), 0.5), text, sizeof text);
    fprintf(out, "%-11s %-12s %s\n", name, text, record_text(config, key));
    if (marked) fprintf(out, "%-11s %d of its %zu runs were disturbed\n", "", marked, n - warmup);
}

static void meaning(FILE *out, const json_t *record) {
    const json_t *r = record_at(record, "result");
    const double ratio = record_real(r, "ratio"), delta = record_real(r, "delta");
    const char *verdict = record_text(r, "verdict");
    if (!strcmp(verdict, "equivalent"))
        fprintf(out, "B and A differ by less than %.3g%%", 100 * delta);
    else if (!strcmp(verdict, "faster") || !strcmp(verdict, "slower"))
        fprintf(out, "B is %s than A by %.2f%%", verdict, 100 * fabs(ratio - 1));
    else
        fprintf(out, "undecided: neither a difference nor equivalence within %.3g%% is shown", 100 * delta);
}

void report_ab(FILE *out, const json_t *record) {
    const json_t *r = record_at(record, "result"), *config = record_at(record, "config");
    const long long blocks = record_whole(r, "blocks");
    fprintf(out, "\ntoise ab   ");
    report_status(out, record_text(record, "status"));
    fprintf(out, "   %s\n\n", record_text(r, "verdict"));
    side(out, record, "A", "a");
    side(out, record, "B", "b");
    fprintf(out, "%-11s %s; %s is better\n", "metric", record_text(config, "metric"), record_text(config, "better"));
    if (blocks >= 2)
        fprintf(out, "%-11s %.4f [%.4f, %.4f], rate of B over A; this look's interval holds with %.2f%%\n", "ratio",
                record_real(r, "ratio"), record_real(r, "low"), record_real(r, "high"),
                100 * record_real(r, "confidence"));
    fprintf(out, "%-11s %lld, order drawn with seed %lld; %lld more before them were warm-up\n", "blocks", blocks,
            record_whole(config, "seed"), record_whole(config, "warmup"));
    fprintf(out, "%-11s ", "verdict");
    meaning(out, record);
    fprintf(out, "\n%-11s at most %.2g%% of such comparisons of equal commands end in a difference\n", "",
            100 * record_real(config, "alpha"));
    if (!strcmp(record_text(r, "verdict"), "inconclusive") && record_whole(r, "blocks_needed") > 0)
        fprintf(out,
                "%-11s with this spread about %lld blocks show equal commands to be equivalent: --blocks, or a larger "
                "--delta\n",
                "", record_whole(r, "blocks_needed"));
    if (record_text(record, "why")[0]) fprintf(out, "%-11s %s\n", "ended", record_text(record, "why"));
}
