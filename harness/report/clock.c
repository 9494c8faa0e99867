/* SPDX-License-Identifier: Apache-2.0
 *
 * Time on the page of a training record: the median step, the wall time that rates use, why the two differ, the CPU
 * quota, and exposed communication. */
#include <math.h>
#include <string.h>

#include "records/get.h"
#include "report/fact.h"
#include "report/report.h"

void report_quota(FILE *out, const json_t *machine) {
    const json_t *quota = record_at(machine, "cpu_quota");
    const double cpus = record_real(quota, "cpus"), period_s = record_real(quota, "period_s");
    if (!(cpus > 0)) return;
    fprintf(out, "quota       %g CPUs: %g ms of CPU time in every %g ms, by %s\n", cpus, 1e3 * cpus * period_s,
            1e3 * period_s, record_text(quota, "group"));
}

/* The largest value of any rank; *where is the rank. */
static double most(const json_t *ranks, const char *key, size_t *where) {
    double most = 0;
    size_t i;
    json_t *rank;
    *where = 0;
    json_array_foreach(ranks, i, rank) {
        if (!(record_real(rank, key) > most)) continue;
        most = record_real(rank, key);
        *where = i;
    }
    return most;
}

/* Prints a reason if `is`, and its rank if there are several. */
static void reason(FILE *out, const json_t *ranks, size_t where, bool is, int *said, const char *format, double a,
                   double b) {
    if (!is) return;
    fputs((*said)++ ? "; " : " ", out);
    fprintf(out, format, a, b);
    if (json_array_size(ranks) > 1) fprintf(out, " (rank %zu)", where);
}

/* Why steps differ from the median. The limits are those of the samples' marks (measure/interference.h). */
static void reasons(FILE *out, const json_t *r, double wall_s) {
    const json_t *ranks = record_at(r, "per_rank");
    int said = 0;
    size_t at;
    const double periods = most(ranks, "throttled_periods", &at);
    reason(out, ranks, at, periods > 0, &said,
           "the CPU quota stopped the process in %.0f periods, %.3g s over all CPUs", periods,
           record_real(json_array_get(ranks, at), "throttled_s"));
    const double steal = most(ranks, "steal_s", &at);
    double time = wall_s * (double)record_whole(json_array_get(ranks, at), "cpu_count");
    reason(out, ranks, at, steal > 0.01 * time, &said, "the hypervisor took %.3g s, %.0f%% of the CPU time", steal,
           100 * steal / time);
    const double other = most(ranks, "other_s", &at);
    time = wall_s * (double)record_whole(json_array_get(ranks, at), "cpu_count");
    reason(out, ranks, at, other > 0.02 * time, &said, "other processes took %.3g s, %.0f%% of the CPU time", other,
           100 * other / time);
    const double faults = most(ranks, "major_faults", &at);
    reason(out, ranks, at, faults > 0, &said, "%.0f pages were read from disk", faults, 0);
    if (!said) fputs(" no measured interference explains it", out);
}

void report_clock(FILE *out, const json_t *record) {
    const json_t *r = record_at(record, "result"), *steps = record_at(record, "samples.step_s");
    const double median = record_real(r, "step_s"), low = record_real(r, "step_s_low"),
                 high = record_real(r, "step_s_high");
    const double mean = record_real(r, "mean_step_s"), wall_s = record_real(r, "wall_s");
    const size_t n = json_array_size(steps);
    double longest = 0;
    size_t i, slow = 0;
    json_t *s;
    json_array_foreach(steps, i, s) {
        longest = fmax(longest, json_number_value(s));
        slow += json_number_value(s) > 2 * median;
    }
    fprintf(out, "step        %.4g s [%.4g, %.4g], median of %zu with its %.0f%% interval\n", median, low, high, n,
            100 * record_real(r, "confidence"));
    const double mean_low = record_real(r, "mean_step_s_low");
    fprintf(out, "wall clock  %.4g s for %zu step%s, %.4g s a step", wall_s, n, n == 1 ? "" : "s", mean);
    if (mean_low > 0) fprintf(out, " [%.4g, %.4g]", mean_low, record_real(r, "mean_step_s_high"));
    fprintf(out, "%s: the rates use this\n", mean_low > 0 ? " within this launch" : " (too few for an interval)");
    if (!(mean > 1.02 * high || mean < 0.98 * low)) return;
    fprintf(out, "            %+.0f%% against the median step:", 100 * (mean / median - 1));
    reasons(out, r, wall_s);
    if (slow)
        fprintf(out, "; %zu step%s took over twice the median, the longest %.4g s", slow, slow == 1 ? "" : "s",
                longest);
    fputc('\n', out);
}

void report_warmup(FILE *out, const json_t *record) {
    const json_t *w = record_at(record, "result.warmup"), *warm = record_at(w, "warm");
    const long long steps = record_whole(w, "steps");
    if (!w || !steps) return;
    fprintf(out, "warm-up     %lld step%s, %.4g s, not in any figure%s\n", steps, steps == 1 ? "" : "s",
            record_real(w, "seconds"), json_is_false(warm) ? "; steps were still becoming faster" : "");
}

/* Whether gradients were sent during backward, and why so. */
void report_overlap(FILE *out, const json_t *record) {
    static const struct {
        const char *why, *text;
    } reasons[] = {
        {"asked", "as asked"},
        {"short warm-up", "the warm-up is too short to try both: give --warmup 7 or more"},
        {"long steps", "steps take too long to try both: --warmup 7 does"},
        {"resumed", "as in the earlier processes of this run"},
    };
    const json_t *o = record_at(record, "result.overlap");
    const double with = record_real(o, "with_s"), without = record_real(o, "without_s");
    const long long pairs = record_whole(o, "pairs");
    if (!o) return;
    fprintf(out, "overlap     %s: ", record_text(o, "chosen"));
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (!strcmp(record_text(o, "why"), reasons[i].why)) fputs(reasons[i].text, out);
    if (!strcmp(record_text(o, "why"), "tried")) /* the slower one's time over the faster one's */
        fprintf(out, "steps are %.1f%% %s without, %.4g s instead of %.4g s (%lld pairs)",
                100 * fabs(without > with ? without / with - 1 : with / without - 1),
                without > with ? "slower" : "faster", without, with, pairs);
    fputc('\n', out);
}

void report_exposed(FILE *out, const json_t *record) {
    const json_t *r = record_at(record, "result");
    const double exposed = record_real(r, "exposed_s"), low = record_real(r, "exposed_s_low"),
                 high = record_real(r, "exposed_s_high");
    const double step = record_real(r, "step_s");
    if (record_whole(record, "layout.world") < 2) return;
    if (record_at(r, "bubble"))
        fprintf(out,
                "bubble      ranks wait %.1f%% of a step for other pipeline stages; %.1f%% if all took equally long\n",
                100 * record_real(r, "bubble"), 100 * record_real(r, "bubble_of_schedule"));
    report_communication(out, r, record_real(r, "mean_step_s"), " in flight", "waited for");
    if (json_object_size(record_at(r, "communication"))) fputs(": the slowest rank's, mean of its steps\n", out);
    fputs("exposed     ", out);
    if (exposed > 0)
        fprintf(out, "%.4g s [%.4g, %.4g], %.0f%% of a step: communication%s not overlapped by compute\n", exposed, low,
                high, 100 * exposed / step, record_at(r, "bubble") ? " and bubble" : "");
    else if (high > 0)
        fprintf(out, "not measurable: exposed communication is below %.4g s, %.0f%% of a step\n", high,
                100 * high / step);
    else if (isnan(high))
        fputs("not measurable: too few probes without communication for an interval; give more --steps\n", out);
    else
        fputs("not measurable: steps with communication took no longer than those without\n", out);
}
