/* SPDX-License-Identifier: Apache-2.0
 *
 * A record of kind "train" as a page: what ran, how fast, whether it was right, where the time went. */
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "check/checks.h"
#include "records/get.h"
#include "report/fact.h"
#include "report/report.h"

static void head(FILE *out, const json_t *r) {
    char count[32];
    base_text_count(record_whole(r, "config.parameters"), count, sizeof count);
    fprintf(out, "\ntoise train   %s%s   %s   ", record_text(r, "workload.name"),
            record_at(r, "workload.name") ? "" : record_text(r, "config.model"), record_text(r, "config.precision"));
    report_status(out, record_text(r, "status"));
    if (record_text(r, "why")[0]) fprintf(out, ": %s", record_text(r, "why"));
    fprintf(out, "\n\nmodel       %s, %s parameters", record_text(r, "config.model"), count);
    if (record_whole(r, "config.layers") < record_whole(r, "config.full_layers"))
        fprintf(out, " (a slice: %lld of %lld layers)", record_whole(r, "config.layers"),
                record_whole(r, "config.full_layers"));
    fputc('\n', out);
    report_config(out, record_at(r, "config"));
    const long long nodes = record_whole(r, "layout.nodes"), world = record_whole(r, "layout.world");
    const long long threads = record_whole(r, "layout.threads");
    fprintf(out, "layout      %lld node%s, %lld rank%s of %lld thread%s (%s); ", nodes, nodes == 1 ? "" : "s", world,
            world == 1 ? "" : "s", threads, threads == 1 ? "" : "s", record_text(r, "layout.threads_from"));
    report_axes(out, record_at(r, "layout"));
    fprintf(out, ", global batch %lld x %lld tokens, micro-batch %lld\n", record_whole(r, "config.global_batch"),
            record_whole(r, "config.seq"), record_whole(r, "layout.micro_batch"));
    if (record_at(r, "layout.recompute")) fprintf(out, "recompute   %s\n", record_text(r, "layout.recompute"));
    report_place(out, record_at(r, "launch"));
    fprintf(out, "machine     %s, %s%s\n", record_text(r, "machine.cpu"), record_text(r, "machine.isa"),
            strcmp(record_text(r, "config.precision"), "bf16") || record_true(r, "machine.bf16_native")
                ? ""
                : "; BF16 is emulated at FP32 speed");
    report_quota(out, record_at(r, "machine"));
    report_blas(out, record_at(r, "machine.blas"));
    fprintf(out, "data        %s",
            record_at(r, "result.source") ? record_text(r, "result.source") : record_text(r, "config.data"));
    if (!isnan(record_real(r, "result.entropy")))
        fprintf(out, ", entropy %.4f nats a token, the lowest possible loss", record_real(r, "result.entropy"));
    fputc('\n', out);
}

static void rates(FILE *out, const json_t *r) {
    static const char *const scopes[] = {"", "_per_node", "_per_rank"};
    report_clock(out, r);
    fprintf(out, "\n%-12s %12s %12s %12s\n%-12s", "", "total", "per node", "per rank", "tokens/s");
    for (int i = 0; i < 3; i++) {
        char key[64];
        snprintf(key, sizeof key, "result.tokens_per_s%s", scopes[i]);
        fprintf(out, " %12.1f", record_real(r, key));
    }
    if (!isnan(record_real(r, "result.tokens_per_s_high")))
        fprintf(out, "   total [%.1f, %.1f]", record_real(r, "result.tokens_per_s_low"),
                record_real(r, "result.tokens_per_s_high"));
    fprintf(out, "\n%-12s", "TFLOP/s");
    for (int i = 0; i < 3; i++) {
        char key[64];
        snprintf(key, sizeof key, "result.model_flop_per_s%s", scopes[i]);
        fprintf(out, " %12.4f", record_real(r, key) / 1e12);
    }
    if (record_at(r, "result.full_model_tokens_per_s"))
        fprintf(out,
                "\n\nfull model  %.4g tokens/s: estimated for all %lld layers%s from the slice's FLOP/s, not measured",
                record_real(r, "result.full_model_tokens_per_s"), record_whole(r, "config.full_layers"),
                record_at(r, "config.full_experts") ? " and experts" : "");
    if (isnan(record_real(r, "result.mfu")))
        fprintf(out, "\n\nMFU         none: %s",
                record_at(r, "machine.blas") ? "the library's matmuls exceed" : "a burst of the CPU quota exceeds");
    else
        fprintf(out, "\n\nMFU         %.1f%%%s", 100 * record_real(r, "result.mfu"),
                record_real(r, "result.hfu") > record_real(r, "result.mfu") ? "" : " of");
    if (record_real(r, "result.hfu") > record_real(r, "result.mfu"))
        fprintf(out, ", HFU %.1f%% of", 100 * record_real(r, "result.hfu"));
    fprintf(out, " the %s: %.3f TFLOP/s", record_text(r, "result.mfu_of"),
            record_real(r, "result.peak_flop_per_s") / 1e12);
    if (!isnan(record_real(r, "result.mfu_nominal")))
        fprintf(out, "; %.1f%% of the nominal %.3f", 100 * record_real(r, "result.mfu_nominal"),
                record_real(r, "result.nominal_peak_flop_per_s") / 1e12);
    fputc('\n', out);
    report_lower_bound(out, record_at(r, "machine"));
}

static void breakdown(FILE *out, const json_t *r) {
    const double step = record_real(r, "result.step_s");
    const char *key;
    json_t *value;
    fprintf(out, record_at(r, "layout.pp") ? "time        of the slowest rank:" : "time       ");
    json_object_foreach(record_at(r, "result.breakdown"), key,
                        value) if (strcmp(key, "pipeline") || json_number_value(value) > 0)
        fprintf(out, " %s %.1f%%", key, 100 * json_number_value(value) / step);
    fputc('\n', out);
}

/* Other programs that run pinned to a core of a rank. */
static void shared(FILE *out, size_t rank, const json_t *all) {
    const json_t *x;
    size_t i;
    json_array_foreach(all, i, x) {
        fprintf(out, "warning     rank %zu: CPU %lld is shared with ", rank, record_whole(x, "cpu"));
        report_clean(out, record_text(x, "name"), 16);
        fprintf(out, " (process %lld), pinned there too\n", record_whole(x, "process"));
    }
}

/* Up to 16 ranks are all shown; of more, the first eight and the slowest. */
static void ranks(FILE *out, const json_t *r) {
    const json_t *all = record_at(r, "result.per_rank"), *k;
    const size_t n = json_array_size(all);
    size_t i, slow = 0, shown = 0;
    json_array_foreach(all, i, k) {
        if (record_text(k, "warning")[0] && i < 8)
            fprintf(out, "warning     rank %zu: %s\n", i, record_text(k, "warning"));
        if (i < 8) shared(out, i, record_at(k, "shared_cores"));
        if (!record_true(k, "pinned") && i < 8) fprintf(out, "            rank %zu: threads not pinned\n", i);
        if (record_real(k, "pages_near") < 1 && i < 8)
            fprintf(out, "            rank %zu: %.1f%% of its pages lie on other NUMA nodes\n", i,
                    100 - 100 * record_real(k, "pages_near"));
        if (!record_true(k, "bound") && i < 8)
            fprintf(out, "            rank %zu: memory not bound to its NUMA nodes\n", i);
        if (record_real(k, "compute_s") > record_real(json_array_get(all, slow), "compute_s")) slow = i;
    }
    if (n < 2) return;
    fprintf(out, "\n%-6s %-16s %5s %10s %10s\n", "rank", "host", "node", "compute s", "wait s");
    json_array_foreach(all, i, k) {
        if (n > 16 && i != slow && shown >= 8) continue;
        shown++;
        fprintf(out, "%-6zu %-16s %5lld %10.4g %10.4g%s\n", i, record_text(k, "host"), record_whole(k, "node"),
                record_real(k, "compute_s"), record_real(k, "wait_s"), i == slow ? "  slowest" : "");
    }
    if (n > shown) fprintf(out, "... and %zu more in the record\n", n - shown);
}

/* The arenas in huge pages: of the rank with the least. */
static void huge(FILE *out, const json_t *ranks) {
    const json_t *k, *least = json_array_get(ranks, 0);
    size_t i;
    json_array_foreach(ranks, i, k) if (!(record_real(k, "pages_huge") >= record_real(least, "pages_huge"))) least = k;
    if (!isnan(record_real(least, "pages_huge")))
        fprintf(out, "; %.1f%% in huge pages", 100 * record_real(least, "pages_huge"));
    else if (json_object_get(least, "pages_huge")) /* a record of an earlier version says nothing */
        fputs("; huge pages unknown", out);
    fprintf(out, record_text(least, "pages_huge_why")[0] ? ": %s\n" : "%s\n", record_text(least, "pages_huge_why"));
}

static void memory(FILE *out, const json_t *r) {
    char peak[32], planned[32];
    base_text_bytes(record_real(r, "result.peak_memory_bytes"), peak, sizeof peak);
    base_text_bytes(record_real(r, "result.predicted_memory_bytes"), planned, sizeof planned);
    fprintf(out, "memory      %s at the peak of a rank, %s planned", peak, planned);
    huge(out, record_at(r, "result.per_rank"));
    fputs("            ", out), report_each(out, r);
}

/* What the run survived: the end of earlier processes, a request to stop, the loss of its own process. */
static void endings(FILE *out, const json_t *r) {
    const json_t *processes = record_at(r, "samples.processes"), *p;
    size_t i;
    if (json_array_size(processes) > 1) fprintf(out, "processes   %zu, of ", json_array_size(processes));
    json_array_foreach(processes, i, p) fprintf(out, "%s%lld", i ? " + " : "", record_whole(p, "timed_steps"));
    if (json_array_size(processes) > 1) fputs(" timed steps\n", out);
    if (record_at(r, "result.injected")) {
        fputs("injected    ", out), report_clean(out, record_text(r, "result.injected"), 100);
        fputs(": so this run measured no machine\n", out);
    }
    if (record_at(r, "result.first_step"))
        fprintf(out, "resumed     from the checkpoint of step %lld\n", record_whole(r, "result.first_step"));
    if (record_at(r, "result.stopped")) fprintf(out, "stopped     by %s\n", record_text(r, "result.stopped"));
    if (record_true(r, "result.recovered"))
        fputs("recovered   from its journal: phases are rank 0's, and what other ranks knew is lost\n", out);
}

/* What it cost to keep the state. */
static void checkpoints(FILE *out, const json_t *r) {
    const json_t *c = record_at(r, "result.checkpoints");
    char bytes[32], rate[32];
    if (!c) return;
    base_text_bytes(record_real(c, "bytes"), bytes, sizeof bytes);
    base_text_bytes(record_real(c, "bytes_per_s"), rate, sizeof rate);
    const long long every = record_whole(c, "every");
    const bool aside = record_at(c, "hidden_s"); /* written while training went on */
    fprintf(out, "checkpoints %zu, every %lld step%s: %s each, written at %s/s; ",
            json_array_size(record_at(c, "write_s")), every, every == 1 ? "" : "s", bytes, rate);
    if (aside)
        fprintf(out, "hidden %.3g of %.3g s, stall", record_sum(c, "hidden_s"),
                record_sum(c, "write_s") + record_sum(c, "check_s"));
    fprintf(out, "%s %.3g s a step", aside ? "" : "with reading back", record_real(c, "stall_s_per_step"));
    if (record_at(c, "stall_of_step")) fprintf(out, ", %.1f%% of one", 100 * record_real(c, "stall_of_step"));
    if (aside) fprintf(out, ", and %.3g s at the end", record_real(c, "end_s"));
    fputc('\n', out);
}

/* How uneven loads were. */
static void experts(FILE *out, const json_t *r) {
    const json_t *x = record_at(r, "result.experts");
    if (!x) return;
    fprintf(out, "loads       the busiest expert gets %.2f x the mean of rows", record_real(x, "busiest_expert"));
    if (record_at(r, "layout.ep"))
        fprintf(out, ", the busiest of %lld ranks %.2f x", record_whole(r, "layout.ep"),
                record_real(x, "busiest_rank"));
    if (record_real(r, "config.balance_weight") > 0)
        fprintf(out, "; load-balancing loss %.4g", record_real(x, "balance_loss"));
    fputc('\n', out);
}

static void residuals(FILE *out, const json_t *r) {
    const json_t *residual = record_at(r, "result.residual");
    const double threshold = record_real(residual, "threshold");
    bool any = false;
    fputc('\n', out);
    for (int i = 0; i < CHECK_COUNT; i++) {
        const char *name = check_name((enum check)i), *where = record_text(record_at(residual, "where"), name);
        const json_t *v = record_at(residual, name);
        if (!v) continue;
        const double x = json_is_number(v) ? json_number_value(v) : INFINITY;
        fprintf(out, "residual    %10.4f  (threshold %g)  %s  %s%s%s\n", x, threshold,
                x <= threshold ? "PASSED" : "FAILED", check_text((enum check)i), where[0] && x > 0 ? ": " : "",
                x > 0 ? where : "");
        any = any || strcmp(name, "finite");
    }
    const bool before =
        !record_at(r, "result.loss") && (record_at(r, "result.stopped") || record_true(r, "result.recovered"));
    if (!any) fprintf(out, "residual    not checked (%s)\n", before ? "the run ended before" : "--no-gate");
}

void report_train(FILE *out, const json_t *record) {
    head(out, record);
    endings(out, record);
    if (record_at(record, "result.step_s")) {
        rates(out, record);
        breakdown(out, record);
        report_profile(out, record_at(record, "result.profile"));
        report_warmup(out, record);
        report_overlap(out, record);
        report_exposed(out, record);
        if (!record_true(record, "result.recovered")) memory(out, record);
        report_energy(out, record_at(record, "result.energy"));
        ranks(out, record);
    }
    experts(out, record);
    checkpoints(out, record);
    if (record_at(record, "result.loss"))
        fprintf(out, "loss        %.4f -> %.4f\n", record_real(record, "result.loss_first"),
                record_real(record, "result.loss_last"));
    residuals(out, record);
}
