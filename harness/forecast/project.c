/* SPDX-License-Identifier: Apache-2.0
 *
 * A record of kind "project" as a page: step, where its time goes, memory, training, layouts, terms. */
#include "forecast/forecast.h"

#include <math.h>
#include <string.h>

#include "base/text.h"
#include "records/get.h"
#include "report/report.h"

static void layout_text(const json_t *l, char *text, size_t size) {
    const long long zero = record_whole(l, "zero"), ep = record_whole(l, "ep");
    char experts[32] = "";
    if (ep > 1) snprintf(experts, sizeof experts, "  EP %lld", ep);
    snprintf(text, size,
             "TP %lld%s  PP %lld  VP %lld  CP %lld  DP %lld%s  ZeRO %lld  micro-batch %lld  recompute %s  %s",
             record_whole(l, "tp"), record_true(l, "sp") ? "+SP" : "", record_whole(l, "pp"), record_whole(l, "vp"),
             record_whole(l, "cp"), record_whole(l, "dp"), experts, zero, record_whole(l, "micro_batch"),
             record_text(l, "recompute"), record_text(l, "schedule"));
}

static void head(FILE *out, const json_t *record) {
    const json_t *config = record_at(record, "config"), *layout = record_at(record, "layout");
    const json_t *machine = record_at(record, "machine"), *result = record_at(record, "result");
    char count[32], active[128] = "", text[256];
    fprintf(out, "\ntoise project   %s on %.0f of %s   %s%s%s\n\n", record_text(config, "model"),
            record_real(layout, "accelerators"), record_text(machine, "name"), record_text(record, "status"),
            record_at(record, "why") ? ": " : "", record_text(record, "why"));
    base_text_count(record_whole(config, "parameters"), count, sizeof count);
    if (record_at(config, "active_parameters")) {
        base_text_count(record_whole(config, "active_parameters"), text, sizeof text);
        char shared[32] = "";
        if (record_at(config, "shared_experts"))
            snprintf(shared, sizeof shared, ", %lld shared", record_whole(config, "shared_experts"));
        snprintf(active, sizeof active, ", %.16s of them active (%lld of %lld experts%.24s)", text,
                 record_whole(config, "experts_active"), record_whole(config, "experts"), shared);
    }
    fprintf(out, "model       %s parameters%s; batch %lld x %lld tokens, %s, %s attention, as %s runs%s\n", count,
            active, record_whole(config, "global_batch"), record_whole(config, "seq"), record_text(config, "precision"),
            record_text(config, "attention"), record_text(config, "framework"),
            record_true(config, "blocking") ? " with blocking launches" : "");
    report_config(out, config);
    fprintf(out, "machine     %s; %s, peak %.4g TFLOP/s %s each\n", record_text(machine, "title"),
            record_text(machine, "accelerator"), record_real(machine, "peak_flop_per_s") / 1e12,
            record_text(config, "precision"));
    if (record_at(machine, "remarks")) fprintf(out, "remarks     %s\n", record_text(machine, "remarks"));
    layout_text(layout, text, sizeof text);
    fprintf(out, "layout      %s; %.0f micro-batches\n", text, record_real(layout, "micro_batches"));
    fprintf(out, "label       %s%s%s\n", record_text(result, "label"),
            json_is_string(record_at(result, "why")) ? ": " : "", record_text(result, "why"));
    const json_t *weakest = record_at(result, "weakest_fact");
    fprintf(out, "facts       weakest: %s, %s; --explain lists all\n", record_text(weakest, "fact"),
            record_text(weakest, "status"));
}

static void step(FILE *out, const json_t *record) {
    const json_t *r = record_at(record, "result");
    const bool known = !strcmp(record_text(r, "label"), "interpolated");
    fprintf(out, "\nstep        %.4g s, %s [%.4g, %.4g]\n", record_real(r, "step_s"),
            known ? "90% interval" : "a range of unknown coverage", record_real(r, "step_s_low"),
            record_real(r, "step_s_high"));

    fprintf(out, "tokens/s    %.6g, %.4g per accelerator\n", record_real(r, "tokens_per_s"),
            record_real(r, "tokens_per_s") / record_real(record, "layout.accelerators"));
    fprintf(out, "TFLOP/s     %.4g per accelerator; %.4g with the whole square of attention counted\n",
            record_real(r, "tflop_per_s_per_accelerator"), record_real(r, "tflop_per_s_per_accelerator_square"));
    fprintf(out, "MFU, HFU    %.1f%%, %.1f%% of the %s\n", 100 * record_real(r, "mfu"), 100 * record_real(r, "hfu"),
            record_text(r, "mfu_of"));
}

/* The parts of at least 0.05% of the step, the largest first. */
static void breakdown(FILE *out, const json_t *result) {
    const double total = record_real(result, "step_s");
    const char *key, *best;
    json_t *value, *parts = json_deep_copy(record_at(result, "breakdown"));
    fputs("time       ", out);
    do {
        double most = 0.0005 * total;
        best = NULL;
        json_object_foreach(parts, key, value) {
            if (json_number_value(value) < most) continue;
            most = json_number_value(value), best = key;
        }
        if (!best) break;
        fprintf(out, " %s %.1f%%", best, 100 * most / total);
        json_object_del(parts, best);
    } while (best);
    fputc('\n', out);
    json_decref(parts);
    if (json_is_null(record_at(result, "pipeline_simulated_s"))) return;
    fprintf(out, "pipeline    bubble %.1f%% of the step; %.4g s by its formula, %.4g s by simulated events\n",
            100 * record_real(result, "bubble"), record_real(result, "pipeline_s"),
            record_real(result, "pipeline_simulated_s"));
}

static void slow_node(FILE *out, const json_t *result) {
    const json_t *x = record_at(result, "slow_node");
    if (x)
        fprintf(out,
                "slow node   one node that takes %.4g times as long: a step of %.4g s, %.1f%% more, in the worst place "
                "(pipeline rank %lld)\n",
                1 + record_real(x, "slower"), record_real(x, "step_s"), 100 * record_real(x, "loss"),
                record_whole(x, "pipeline_rank"));
}

static void memory(FILE *out, const json_t *record) {
    const json_t *r = record_at(record, "result"), *m = record_at(r, "memory");
    const double has = record_real(record, "machine.memory_bytes");
    char of[48] = "GB, without limit";
    if (!isnan(has)) snprintf(of, sizeof of, "of %.1f GB", has / 1e9);
    fprintf(out,
            "memory      %.1f %s: weights %.1f, gradients %.1f, optimizer %.1f, activations %.1f, logits %.1f, the "
            "rest fragmentation and framework\n",
            record_real(r, "memory_bytes") / 1e9, of, record_real(m, "weights") / 1e9,
            record_real(m, "gradients") / 1e9, record_real(m, "optimizer") / 1e9, record_real(m, "activations") / 1e9,
            record_real(m, "logits") / 1e9);
}

/* The layout that would fit, if this one does not. */
static void would_fit(FILE *out, const json_t *result) {
    const json_t *x = record_at(result, "would_fit");
    char text[256];
    if (record_true(result, "fits")) return;
    if (!x) {
        fputs("would fit   nothing on this machine: no layout fits on any number of its accelerators\n", out);
        return;
    }
    layout_text(x, text, sizeof text);
    fprintf(out, "would fit   on %.0f: %s; %.1f GB, %.4g s\n", record_real(x, "accelerators"), text,
            record_real(x, "memory_bytes") / 1e9, record_real(x, "step_s"));
}

static void amount(FILE *out, const char *head, const char *format, double x, const char *tail) {
    fputs(head, out);
    if (isfinite(x))
        fprintf(out, format, x);
    else
        fputc('-', out);
    fputs(tail, out);
}

static void training(FILE *out, const json_t *r) {
    const json_t *wall = record_at(r, "wall_s"), *t = record_at(r, "assumptions");
    char every[32], one[32];
    if (!wall) return;
    base_text_duration(record_real(t, "checkpoint_every_s"), every, sizeof every);
    base_text_duration(record_real(t, "checkpoint_one_s"), one, sizeof one);
    fprintf(out, "\ntraining    %.4g tokens, %.0f steps: %.4g days [%.4g, %.4g], %.0f accelerator-hours\n",
            record_real(r, "tokens"), record_real(r, "steps"), record_real(r, "days"), record_real(r, "days_low"),
            record_real(r, "days_high"), record_real(r, "accelerator_hours"));
    fprintf(out,
            "goodput     %.1f%%; days: steps %.2f, batch ramp %.2f, stragglers %.2f, checkpoints %.2f, lost work %.2f, "
            "restarts "
            "%.2f, queue %.2f\n",
            100 * record_real(r, "goodput"), record_real(wall, "steps") / 86400, record_real(wall, "ramp") / 86400,
            record_real(wall, "straggling") / 86400, record_real(wall, "checkpoints") / 86400,
            record_real(wall, "lost") / 86400, record_real(wall, "restarts") / 86400,
            record_real(wall, "queue") / 86400);
    fprintf(out, "            %.0f failures; a checkpoint takes %s, every %s%s", record_real(t, "failures"), one, every,
            record_real(t, "jobs") > 0 ? "; " : "\n");
    if (record_real(t, "jobs") > 0) fprintf(out, "%.0f jobs in the queue\n", record_real(t, "jobs"));
    amount(out, "energy      MWh: accelerators ", "%.4g", record_real(r, "mwh"), "");
    amount(out, ", nodes ", "%.4g", record_real(r, "mwh_node"), "");
    amount(out, ", facility ", "%.4g", record_real(r, "mwh_facility"), "\n");
    amount(out, "cost        EUR: electricity ", "%.0f", record_real(r, "cost_eur"), "");
    amount(out, ", accelerator-hours ", "%.0f", record_real(r, "cost_eur_accelerators"), "\n");
}

static void layouts(FILE *out, const json_t *search) {
    const json_t *l;
    size_t i;
    if (!search) return;
    fprintf(out, "\n%lld layouts priced; %lld faster ones do not fit. The fastest that fit:\n%10s %9s\n",
            record_whole(search, "legal"), record_whole(search, "faster_that_do_not_fit"), "step s", "GB");
    json_array_foreach(record_at(search, "best"), i, l) {
        char text[256];
        layout_text(l, text, sizeof text);
        fprintf(out, "%10.4g %9.1f  %s\n", record_real(l, "step_s"), record_real(l, "memory_bytes") / 1e9, text);
    }
}

static void explanation(FILE *out, const json_t *record) {
    const json_t *x;
    size_t i;
    if (!record_at(record, "explain")) return;
    fprintf(out, "\n%-16s %10s  %s\n", "term", "seconds", "formula; inputs");
    json_array_foreach(record_at(record, "explain"), i, x)
        fprintf(out, "%-16s %10.4g  %s\n%29s%s\n", record_text(x, "term"), record_real(x, "seconds"),
                record_text(x, "formula"), "", record_text(x, "inputs"));
    fprintf(out, "\n%-40s %12s  %-10s %s\n", "fact of the machine", "value", "status", "source");
    json_array_foreach(record_at(record, "facts"), i, x) {
        char value[32];
        if (json_is_string(record_at(x, "value")))
            snprintf(value, sizeof value, "%s", record_text(x, "value"));
        else
            snprintf(value, sizeof value, "%.6g", record_real(x, "value"));
        fprintf(out, "%-40.40s %12s  %-10s %s\n", record_text(x, "fact"), value, record_text(x, "status"),
                record_text(x, record_at(x, "source") ? "source" : "how"));
    }
}

void forecast_project(FILE *out, const json_t *record) {
    const json_t *result = record_at(record, "result");
    head(out, record);
    step(out, record);
    breakdown(out, result);
    slow_node(out, result);
    memory(out, record);
    would_fit(out, result);
    training(out, result);
    layouts(out, record_at(record, "search"));
    explanation(out, record);
}

void forecast_project_side_by_side(FILE *out, json_t *const *records, int count) {
    const json_t *against = record_at(records[1], "against");
    fprintf(out, "\n%-24s %12s %12s %10s %7s %10s %12s  %s\n", "machine", "accelerators", "tokens/s", "step s", "MFU",
            "days", "GPU-hours", "label");
    for (int i = 0; i < count; i++) {
        const json_t *r = record_at(records[i], "result");
        fprintf(out, "%-24.24s %12.0f %12.6g %10.4g %6.1f%%", record_text(records[i], "machine.name"),
                record_real(records[i], "layout.accelerators"), record_real(r, "tokens_per_s"),
                record_real(r, "step_s"), 100 * record_real(r, "mfu"));
        amount(out, " ", "%10.4g", record_real(r, "days"), ""),
            amount(out, " ", "%12.0f", record_real(r, "accelerator_hours"), "");
        fprintf(out, "  %s%s\n", record_text(r, "label"), record_true(r, "fits") ? "" : ", does not fit");
    }
    fputs("MFU: of each machine's nominal peak in this precision\n", out);
    fprintf(out, "\ntime of a %s on %s over that on\n", record_text(against, "of"), record_text(against, "machine"));
    for (int i = 1; i < count; i++) {
        const json_t *a = record_at(records[i], "against");
        fprintf(out, "%-24.24s %8.4g [%.4g, %.4g]\n", record_text(records[i], "machine.name"), record_real(a, "ratio"),
                record_real(a, "low"), record_real(a, "high"));
    }
}
