/* SPDX-License-Identifier: Apache-2.0
 *
 * Megatron-LM's arguments, which _print_args() in megatron/training/arguments.py lists at the start, one a line with
 * dots between name and value. The known ones become `config` and `layout`. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "import/megatron.h"

/* An argument and where it goes. */
static const struct {
    const char *argument, *key;
    bool layout;
} arguments_known[] = {
    {"num_layers", "layers", false},
    {"hidden_size", "width", false},
    {"ffn_hidden_size", "ffn", false},
    {"num_attention_heads", "heads", false},
    {"kv_channels", "head_dim", false},
    {"padded_vocab_size", "vocab", false},
    {"max_position_embeddings", "positions", false},
    {"seq_length", "seq", false},
    {"global_batch_size", "global_batch", false},
    {"seed", "seed", false},
    {"world_size", "world", true},
    {"data_parallel_size", "dp", true},
    {"tensor_model_parallel_size", "tp", true},
    {"pipeline_model_parallel_size", "pp", true},
    {"virtual_pipeline_model_parallel_size", "vp", true},
    {"context_parallel_size", "cp", true},
    {"expert_model_parallel_size", "ep", true},
    {"micro_batch_size", "micro_batch", true},
    /* read, but not copied as they are */
    {"log_interval", NULL, false},
    {"bf16", NULL, false},
    {"fp16", NULL, false},
    {"group_query_attention", NULL, false},
    {"num_query_groups", NULL, false},
    {"sequence_parallel", NULL, false},
    {"use_distributed_optimizer", NULL, false},
    {"recompute_granularity", NULL, false},
};
enum { KNOWN = sizeof arguments_known / sizeof *arguments_known };

bool import_megatron_begins(const char *text) {
    return strstr(text, "--- arguments ---") != NULL;
}

/* A number, a truth, or text; NULL for "None" */
static json_t *value_json(const char *text) {
    double x;
    if (!strcmp(text, "None")) return NULL;
    if (!strcmp(text, "True") || !strcmp(text, "False")) return json_boolean(*text == 'T');
    if (!import_number(text, &x)) return json_string(text);
    return x == (double)(json_int_t)x ? json_integer((json_int_t)x) : json_real(x);
}

void import_megatron_argument(char *text, json_t *arguments) {
    char *dots = strstr(text, " ...");
    if (!dots) return;
    char *value = dots + 1 + strspn(dots + 1, "."), *name = dots;
    if (*value != ' ') return;
    while (name > text && (isalnum((unsigned char)name[-1]) || name[-1] == '_')) name--;
    *dots = 0;
    for (int i = 0; i < KNOWN; i++)
        if (!strcmp(name, arguments_known[i].argument)) {
            json_t *read = value_json(import_trim(value));
            if (read) record_set(arguments, name, read);
        }
}

static void copy(json_t *to, const json_t *arguments, bool layout) {
    for (int i = 0; i < KNOWN; i++) {
        json_t *value = json_object_get(arguments, arguments_known[i].argument);
        if (arguments_known[i].key && arguments_known[i].layout == layout && json_is_integer(value))
            record_set(to, arguments_known[i].key, json_incref(value));
    }
}

json_t *import_megatron_config(const json_t *arguments, const struct import_options *options) {
    json_t *o = json_object();
    copy(o, arguments, false);
    const long long layers = record_whole(o, "layers"), width = record_whole(o, "width");
    if (options->model)
        record_set(o, "model", json_string(options->model));
    else if (layers && width)
        record_set(o, "model", json_sprintf("%lld layers of %lld", layers, width));
    if (options->seq) record_set_integer(o, "seq", options->seq);
    if (record_true(arguments, "group_query_attention") && record_whole(arguments, "num_query_groups") > 0)
        record_set_integer(o, "kv_heads", record_whole(arguments, "num_query_groups"));
    if (json_object_get(arguments, "bf16") || json_object_get(arguments, "fp16"))
        record_set(o, "precision",
                   json_string(record_true(arguments, "bf16")   ? "bf16"
                               : record_true(arguments, "fp16") ? "fp16"
                                                                : "fp32"));
    return o;
}

json_t *import_megatron_layout(const json_t *arguments) {
    json_t *o = json_object();
    copy(o, arguments, true);
    if (json_object_get(arguments, "sequence_parallel"))
        record_set(o, "sp", json_boolean(record_true(arguments, "sequence_parallel")));
    if (record_true(arguments, "use_distributed_optimizer")) record_set_integer(o, "zero", 1);
    if (record_text(arguments, "recompute_granularity")[0])
        record_set(o, "recompute", json_string(record_text(arguments, "recompute_granularity")));
    return o;
}
