/* SPDX-License-Identifier: Apache-2.0
 *
 * A plan record as a page: memory, operations, messages. */
#include <string.h>

#include "base/record_get.h"
#include "base/text.h"
#include "cli/cli.h"

static void memory(FILE *out, const json_t *ledger) {
    char bytes[32];
    const char *key;
    json_t *value;
    fputs("\nmemory of a rank\n", out);
    json_object_foreach(json_object_get(ledger, "memory"), key, value) {
        base_text_bytes(json_number_value(value), bytes, sizeof bytes);
        fprintf(out, "  %-24s %12s\n", key, bytes);
    }
    base_text_bytes(get_real(ledger, "memory_bytes_per_rank"), bytes, sizeof bytes);
    fprintf(out, "  %-24s %12s\n", "sum", bytes);
    if (!json_object_get(ledger, "gate_bytes_per_rank")) return;
    base_text_bytes(get_real(ledger, "gate_bytes_per_rank"), bytes, sizeof bytes);
    fprintf(out, "  %-24s %12s\n", "gate, before timing", bytes);
}

static void operation(FILE *out, const json_t *op) {
    char shape[64] = "", bytes[32];
    if (!strcmp(get_text(op, "kind"), "gemm"))
        snprintf(shape, sizeof shape, "%s %lld x %lld x %lld", get_text(op, "trans"), get_whole(op, "m"),
                 get_whole(op, "n"), get_whole(op, "k"));
    else if (json_object_get(op, "b"))
        snprintf(shape, sizeof shape, "b %lld h %lld s %lld d %lld", get_whole(op, "b"), get_whole(op, "h"),
                 get_whole(op, "s"), get_whole(op, "d"));
    const double flop = json_number_value(json_object_get(op, "flop")); /* passes have none: 0 */
    base_text_bytes(get_real(op, "bytes") * get_real(op, "count"), bytes, sizeof bytes);
    fprintf(out, "  %-24s %8.0f  %-28s %12.3f %12s\n", get_text(op, "name"), get_real(op, "count"), shape,
            flop * get_real(op, "count") / 1e9, bytes);
}

void cli_report_plan(FILE *out, const json_t *record) {
    const json_t *config = json_object_get(record, "config"), *layout = json_object_get(record, "layout");
    const json_t *ledger = json_object_get(record, "ledger"), *op;
    char count[32];
    size_t i;
    base_text_count(get_whole(config, "parameters"), count, sizeof count);
    fprintf(out, "plan        %s, %s parameters, %lld of %lld layers, %s\n", get_text(config, "model"), count,
            get_whole(config, "layers"), get_whole(config, "full_layers"), get_text(config, "precision"));
    cli_report_config(out, config);
    const long long world = get_whole(layout, "world"), threads = get_whole(layout, "threads");
    fprintf(
        out,
        "layout      %lld rank%s of %lld thread%s (%s); DP %lld, global batch %lld x %lld tokens, micro-batch %lld, "
        "accumulation %lld\n",
        world, world == 1 ? "" : "s", threads, threads == 1 ? "" : "s", get_text(layout, "threads_from"),
        get_whole(layout, "dp"), get_whole(config, "global_batch"), get_whole(config, "seq"),
        get_whole(layout, "micro_batch"), get_whole(layout, "accumulation"));
    if (json_object_get(record, "data")) fprintf(out, "data        %s\n", get_text(record, "data"));
    memory(out, ledger);
    fprintf(out, "\noperations of a rank's step\n  %-24s %8s  %-28s %12s %12s\n", "", "count", "shape", "GFLOP",
            "bytes");
    json_array_foreach(json_object_get(ledger, "ops"), i, op) operation(out, op);
    fprintf(
        out,
        "\nstep of all ranks: %.1f GFLOP (matmul %.1f, causal attention %.1f); %.1f with the whole square counted\n",
        get_real(ledger, "model_flop") / 1e9, get_real(ledger, "matmul_flop") / 1e9,
        get_real(ledger, "attention_flop") / 1e9, get_real(ledger, "model_flop_square") / 1e9);
    if (json_object_get(ledger, "full_model_flop"))
        fprintf(out, "this is a slice; the same step of all %lld layers: %.1f GFLOP\n",
                get_whole(config, "full_layers"), get_real(ledger, "full_model_flop") / 1e9);
    fputs("bytes of passes are estimates; all else is exact\n", out);
}
