/* SPDX-License-Identifier: Apache-2.0
 *
 * A plan record as a page: memory, operations, messages. */
#include <string.h>

#include "base/text.h"
#include "cli/cli.h"

static double real(const json_t *o, const char *key) {
    return json_number_value(json_object_get(o, key));
}
static long long whole(const json_t *o, const char *key) {
    return json_integer_value(json_object_get(o, key));
}
static const char *text(const json_t *o, const char *key) {
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

static void memory(FILE *out, const json_t *ledger) {
    char bytes[32];
    const char *key;
    json_t *value;
    fputs("\nmemory of a rank\n", out);
    json_object_foreach(json_object_get(ledger, "memory"), key, value) {
        base_text_bytes(json_number_value(value), bytes, sizeof bytes);
        fprintf(out, "  %-24s %12s\n", key, bytes);
    }
    base_text_bytes(real(ledger, "memory_bytes_per_rank"), bytes, sizeof bytes);
    fprintf(out, "  %-24s %12s\n", "sum", bytes);
    if (!json_object_get(ledger, "gate_bytes_per_rank")) return;
    base_text_bytes(real(ledger, "gate_bytes_per_rank"), bytes, sizeof bytes);
    fprintf(out, "  %-24s %12s\n", "gate, before timing", bytes);
}

static void operation(FILE *out, const json_t *op) {
    char shape[64] = "", bytes[32];
    if (!strcmp(text(op, "kind"), "gemm"))
        snprintf(shape, sizeof shape, "%s %lld x %lld x %lld", text(op, "trans"), whole(op, "m"), whole(op, "n"),
                 whole(op, "k"));
    else if (json_object_get(op, "b"))
        snprintf(shape, sizeof shape, "b %lld h %lld s %lld d %lld", whole(op, "b"), whole(op, "h"), whole(op, "s"),
                 whole(op, "d"));
    base_text_bytes(real(op, "bytes") * real(op, "count"), bytes, sizeof bytes);
    fprintf(out, "  %-24s %8.0f  %-28s %12.3f %12s\n", text(op, "name"), real(op, "count"), shape,
            real(op, "flop") * real(op, "count") / 1e9, bytes);
}

void cli_report_plan(FILE *out, const json_t *record) {
    const json_t *config = json_object_get(record, "config"), *layout = json_object_get(record, "layout");
    const json_t *ledger = json_object_get(record, "ledger"), *op;
    char count[32];
    size_t i;
    base_text_count(whole(config, "parameters"), count, sizeof count);
    fprintf(out, "plan        %s, %s parameters, %lld of %lld layers, %s\n", text(config, "model"), count,
            whole(config, "layers"), whole(config, "full_layers"), text(config, "precision"));
    fprintf(out,
            "layout      %lld ranks of %lld threads; DP %lld, global batch %lld x %lld tokens, micro-batch %lld, "
            "accumulation %lld\n",
            whole(layout, "world"), whole(layout, "threads"), whole(layout, "dp"), whole(config, "global_batch"),
            whole(config, "seq"), whole(layout, "micro_batch"), whole(layout, "accumulation"));
    memory(out, ledger);
    fprintf(out, "\noperations of a rank's step\n  %-24s %8s  %-28s %12s %12s\n", "", "count", "shape", "GFLOP",
            "bytes");
    json_array_foreach(json_object_get(ledger, "ops"), i, op) operation(out, op);
    fprintf(
        out,
        "\nstep of all ranks: %.1f GFLOP (matmul %.1f, causal attention %.1f); %.1f with the whole square counted\n",
        real(ledger, "model_flop") / 1e9, real(ledger, "matmul_flop") / 1e9, real(ledger, "attention_flop") / 1e9,
        real(ledger, "model_flop_square") / 1e9);
    if (json_object_get(ledger, "full_model_flop"))
        fprintf(out, "this is a slice; the same step of all %lld layers: %.1f GFLOP\n", whole(config, "full_layers"),
                real(ledger, "full_model_flop") / 1e9);
    fputs("bytes of passes are estimates; all else is exact\n", out);
}
