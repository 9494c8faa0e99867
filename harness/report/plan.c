/* SPDX-License-Identifier: Apache-2.0
 *
 * A plan record as a page: memory, operations, messages. */
#include <string.h>

#include "base/text.h"
#include "records/get.h"
#include "report/fact.h"
#include "report/report.h"

void report_each(FILE *out, const json_t *record) {
    static const char *const kept[] = {"weights (FP32)",   "weights (BF16)",       "master weights (FP32)",
                                       "gradients (FP32)", "AdamW moments (FP32)", "gathered weights (FP32)"};
    const json_t *memory = record_at(record, "ledger.memory");
    const double parameters = record_real(record, "config.parameters");
    double state = 0;
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        state += json_number_value(json_object_get(memory, kept[i]));
    const bool shared =
        record_at(record, "layout.tp") || record_at(record, "layout.pp") || record_at(record, "layout.zero");
    fprintf(out, "%.1f bytes a parameter for weights, gradients and moments%s; the least of %s is %d%s\n",
            state / parameters, shared ? " on a rank" : "", record_text(record, "config.precision"),
            strcmp(record_text(record, "config.precision"), "bf16") ? 16 : 18, shared ? " on all that share them" : "");
}

static void memory(FILE *out, const json_t *record) {
    const json_t *ledger = record_at(record, "ledger");
    char bytes[32];
    const char *key;
    json_t *value;
    fprintf(out, "\nmemory of a rank%s\n", record_at(record, "layout.pp") ? ", of the stage that needs most" : "");
    json_object_foreach(record_at(ledger, "memory"), key, value) {
        base_text_bytes(json_number_value(value), bytes, sizeof bytes);
        fprintf(out, "  %-24s %12s\n", key, bytes);
    }
    base_text_bytes(record_real(ledger, "memory_bytes_per_rank"), bytes, sizeof bytes);
    fprintf(out, "  %-24s %12s\n", "sum", bytes);
    fputs("  ", out), report_each(out, record);
    if (!record_at(ledger, "gate_bytes_per_rank")) return;
    base_text_bytes(record_real(ledger, "gate_bytes_per_rank"), bytes, sizeof bytes);
    fprintf(out, "  %-24s %12s\n", "gate, before timing", bytes);
}

/* Where each rank is; the first few. */
static void grid(FILE *out, const json_t *record) {
    enum { SHOWN = 16 };
    const json_t *ranks = record_at(record, "ranks"), *rank;
    json_t *value;
    const size_t count = json_array_size(ranks);
    const char *key;
    size_t i;
    if (!count) return;
    fputs("\n", out);
    json_object_foreach((json_t *)(uintptr_t)json_array_get(ranks, 0), key, value) fprintf(out, "%8s", key);
    fputs("\n", out);
    json_array_foreach(ranks, i, rank) {
        if (i == SHOWN) break;
        json_object_foreach((json_t *)(uintptr_t)rank, key, value)
            fprintf(out, "%8lld", (long long)json_integer_value(value));
        fputs("\n", out);
    }
    if (count > SHOWN) fprintf(out, "     ... and %zu more with --json\n", count - SHOWN);
    if (record_at(record, "group_nodes")) fputs("nodes of a group at most:", out);
    json_object_foreach(record_at(record, "group_nodes"), key, value)
        fprintf(out, " %s %lld", key, (long long)json_integer_value(value));
    if (record_at(record, "group_nodes")) fputs("\n", out);
}

static void operation(FILE *out, const json_t *op) {
    char shape[64] = "", bytes[32], ahead[32] = "";
    if (record_at(op, "ahead")) snprintf(ahead, sizeof ahead, " ahead %lld", record_whole(op, "ahead"));
    if (!strcmp(record_text(op, "kind"), "gemm"))
        snprintf(shape, sizeof shape, "%s %lld x %lld x %lld", record_text(op, "trans"), record_whole(op, "m"),
                 record_whole(op, "n"), record_whole(op, "k"));
    else if (record_at(op, "group"))
        snprintf(shape, sizeof shape, "over %.8s ranks", record_text(op, "group"));
    else if (record_at(op, "b"))
        snprintf(shape, sizeof shape, "b %lld h %lld s %lld%s d %lld", record_whole(op, "b"), record_whole(op, "h"),
                 record_whole(op, "s"), ahead, record_whole(op, "d"));
    else if (record_whole(op, "cols") > 1)
        snprintf(shape, sizeof shape, "%lld x %lld", record_whole(op, "rows"), record_whole(op, "cols"));
    else if (record_whole(op, "rows"))
        snprintf(shape, sizeof shape, "%lld", record_whole(op, "rows"));
    const double flop = json_number_value(record_at(op, "flop")); /* passes have none: 0 */
    base_text_bytes(record_real(op, "bytes") * record_real(op, "count"), bytes, sizeof bytes);
    fprintf(out, "  %-24s %8.6g  %-28s %12.3f %12s%s\n", record_text(op, "name"), record_real(op, "count"), shape,
            flop * record_real(op, "count") / 1e9, bytes, record_true(op, "again") ? "  again" : "");
}

void report_plan(FILE *out, const json_t *record) {
    const json_t *config = record_at(record, "config"), *layout = record_at(record, "layout");
    const json_t *ledger = record_at(record, "ledger"), *op;
    char count[32];
    size_t i;
    base_text_count(record_whole(config, "parameters"), count, sizeof count);
    fprintf(out, "plan        %s, %s parameters, %lld of %lld layers, %s\n", record_text(config, "model"), count,
            record_whole(config, "layers"), record_whole(config, "full_layers"), record_text(config, "precision"));
    report_config(out, config);
    const long long world = record_whole(layout, "world"), threads = record_whole(layout, "threads");
    fprintf(out, "layout      %lld rank%s of %lld thread%s (%s); ", world, world == 1 ? "" : "s", threads,
            threads == 1 ? "" : "s", record_text(layout, "threads_from"));
    report_axes(out, layout);
    fprintf(out, ", global batch %lld x %lld tokens, micro-batch %lld, accumulation %lld\n",
            record_whole(config, "global_batch"), record_whole(config, "seq"), record_whole(layout, "micro_batch"),
            record_whole(layout, "accumulation"));
    if (record_at(record, "data")) fprintf(out, "data        %s\n", record_text(record, "data"));
    grid(out, record);
    memory(out, record);
    fprintf(out, "\noperations of a rank's step%s\n  %-24s %8s  %-28s %12s %12s\n",
            record_at(layout, "pp") ? ", of the first stage" : "", "", "count", "shape", "GFLOP", "bytes");
    json_array_foreach(record_at(ledger, "ops"), i, op) operation(out, op);
    fprintf(
        out,
        "\nstep of all ranks: %.1f GFLOP (matmul %.1f, causal attention %.1f); %.1f with the whole square counted\n",
        record_real(ledger, "model_flop") / 1e9, record_real(ledger, "matmul_flop") / 1e9,
        record_real(ledger, "attention_flop") / 1e9, record_real(ledger, "model_flop_square") / 1e9);
    if (record_at(ledger, "recomputed_flop"))
        fprintf(out, "recomputed: %.1f GFLOP more, of the operations marked \"again\"\n",
                record_real(ledger, "recomputed_flop") / 1e9);
    if (record_at(ledger, "full_model_flop"))
        fprintf(out, "this is a slice; the same step of all %lld layers%s: %.1f GFLOP\n",
                record_whole(config, "full_layers"), record_at(config, "full_experts") ? " and experts" : "",
                record_real(ledger, "full_model_flop") / 1e9);
    fputs("bytes of passes are estimates; all else is exact\n", out);
    if (record_at(config, "route") && strcmp(record_text(config, "route"), "balanced"))
        fputs("rows of experts are those of balanced loads, memory is for the most that may come\n", out);
}
