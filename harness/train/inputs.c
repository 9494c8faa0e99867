/* SPDX-License-Identifier: Apache-2.0
 *
 * Opens a run's inputs: the data, and the weights to start from. */
#include "train/train.h"
#include "train/weights.h"

/* Checks names, shapes and types against the model, without reading values. */
static int check_weights(const char *path, const struct model_config *config, struct base_error *e) {
    struct model_params params = {0};
    struct train_weights weights = {0};
    int code = model_params_open(&params, config, e);
    if (!code) code = train_weights_open(&weights, path, &params, config, e);
    if (!code) train_weights_close(&weights);
    model_params_close(&params);
    return code;
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
    if (!code && options->init) code = comm_agree(world, check_weights(options->init, config, e), e);
    if (code)
        data_close(source);
    else
        options->source = source;
    return code;
}
