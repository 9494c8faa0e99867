/* SPDX-License-Identifier: Apache-2.0
 *
 * Opens a run's inputs: the data, and the weights to start from. Compares between ranks what work they make. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/weights.h"
#include "inventory/alike.h"
#include "records/hash.h"
#include "train/record.h"
#include "train/train.h"

/* Checks names, shapes and types against the model, without reading values. */
static int check_weights(const char *path, const struct model_config *config, struct base_error *e) {
    struct model_params params = {0};
    struct checkpoint_weights weights = {0};
    int code = model_params_open(&params, config, e);
    if (!code) code = checkpoint_weights_open(&weights, path, &params, config, e);
    if (!code) checkpoint_weights_close(&weights);
    model_params_close(&params);
    return code;
}

enum { SAMPLES = 64, TOKENS = 1 << 20 }; /* at most so many, and one sample: enough to tell two files apart */

/* A hash of the first samples of step 0, as `digits`. BASE_BROKEN: out of memory. */
static int hash_samples(const struct data_source *source, int64_t seq, char digits[RECORD_HASH_TEXT],
                        struct base_error *e) {
    const int64_t samples = seq * SAMPLES <= TOKENS ? SAMPLES : seq < TOKENS ? TOKENS / seq : 1;
    const size_t count = (size_t)(samples * seq);
    int32_t *tokens = malloc(2 * count * sizeof *tokens);
    if (!tokens) return base_fail(e, BASE_BROKEN, "out of memory for %lld samples of the data", (long long)samples);
    data_fill(source, 0, samples, 0, samples, tokens, tokens + count);
    record_hash_of(tokens, 2 * count * sizeof *tokens, digits);
    free(tokens);
    return BASE_OK;
}

/* A hash of a value. */
static json_t *hash_json(const json_t *value) {
    char digits[RECORD_HASH_TEXT] = "", *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);
    if (text) record_hash_of(text, strlen(text), digits);
    free(text);
    return json_stringn(digits, 16);
}

/* Each rank reads the catalogue, the model and the data itself, and a path may name other files on other nodes. */
static int check_same(struct train_options *o, const struct plan *plan, struct comm *world, struct base_error *e) {
    char digits[RECORD_HASH_TEXT], say[512];
    int code = comm_agree(world, hash_samples(o->source, plan->request.seq, digits, e), e);
    if (code) return code;
    json_t *work = train_config(plan, o);
    snprintf(o->samples, sizeof o->samples, "%.16s", digits);
    record_set(work, "first samples", json_string(o->samples));
    if (o->from) record_set(work, "checkpoint", hash_json(o->from->about));
    const bool alike = inventory_alike_json(world, work, say, sizeof say);
    json_decref(work);
    if (alike) return BASE_OK;
    return base_fail(e, BASE_USAGE,
                     "the ranks would not do the same work: %s; give all nodes the same catalogue, --model, --data "
                     "and --resume",
                     say);
}

int train_inputs(struct train_options *options, const struct plan *plan, struct comm *world, struct base_error *e) {
    const struct model_config *config = &plan->request.config;
    struct data_options d = options->data;
    struct data_source *source = NULL;
    d.vocab = config->vocab;
    d.seq = plan->request.seq;
    d.seed = options->seed;
    d.share = world->rank;
    d.shares = world->size;
    int code = comm_agree(world, data_open(&source, &d, e), e);
    if (!code && options->init && !options->from) code = comm_agree(world, check_weights(options->init, config, e), e);
    if (code) {
        data_close(source);
        return code;
    }
    options->source = source;
    return check_same(options, plan, world, e);
}
