/* SPDX-License-Identifier: Apache-2.0
 *
 * step FOLDER TOKENS BATCH SEQ THREADS GRADIENTS: loads config.json and weights of FOLDER and takes BATCH x (SEQ + 1)
 * int32 tokens. It prints the mean loss of an FP32 forward and writes its gradient as .safetensors, with the names and
 * shapes of the weights. hf_step.py compares both with PyTorch's. */
#include <stdio.h>
#include <stdlib.h>

#include "checkpoint/checkpoint.h"
#include "checkpoint/weights.h"
#include "records/record.h"

static int read_tokens(const char *path, int64_t batch, int64_t seq, int32_t *inputs, int32_t *targets,
                       struct base_error *e) {
    FILE *f = fopen(path, "rb");
    int32_t token;
    for (int64_t i = 0; f && i < batch * (seq + 1); i++) {
        const int64_t sample = i / (seq + 1), at = i % (seq + 1);
        if (fread(&token, sizeof token, 1, f) != 1) break;
        if (at < seq) inputs[sample * seq + at] = token;
        if (at > 0) targets[sample * seq + at - 1] = token;
    }
    const int bad = !f || feof(f) || ferror(f);
    if (f) fclose(f);
    return bad ? base_fail(e, BASE_USAGE, "%s: not %lld x %lld tokens of int32", path, (long long)batch,
                           (long long)(seq + 1))
               : BASE_OK;
}

static int step(struct parallel_engine *g, char **argv, struct base_error *e) {
    const int64_t batch = g->plan->shape.batch, seq = g->plan->shape.seq;
    int code = checkpoint_weights_load(g, argv[1], e);
    if (code || (code = read_tokens(argv[2], batch, seq, g->inputs, g->targets, e))) return code;
    const double tokens = (double)(batch * seq);
    g->model.grad_scale = (float)(1 / tokens);
    model_forward(&g->model, g->inputs);
    const double loss = model_loss(&g->model, g->targets, g->model.grad_scale);
    model_backward(&g->model, g->inputs);
    printf("%.12g\n", loss / tokens);
    return checkpoint_weights_write(argv[6], g, PARALLEL_GRADIENTS, e);
}

static int run(char **argv, struct base_error *e) {
    struct plan_request r = {.dtype = KERNEL_F32,
                             .seq = atoll(argv[4]),
                             .layout = plan_layout_data_parallel(1, atoll(argv[3])),
                             .global_batch = atoll(argv[3]),
                             .threads = atoi(argv[5])};
    struct parallel_engine g = {0};
    struct kernel_ops ops;
    struct comm world;
    struct plan plan;
    json_t *json = NULL;
    char path[4096];
    snprintf(path, sizeof path, "%s/config.json", argv[1]);
    comm_serial(&world);
    kernel_select(&ops, kernel_isa_best(), KERNEL_BACKEND_TOISE);
    int code = record_json_load(path, &json, e);
    if (!code) code = model_config_parse(&r.config, "peer", json, path, e);
    if (!code) code = plan_make(&plan, &r, e);
    if (!code) code = parallel_open(&g, &plan, &world, &ops, e);
    if (!code) code = step(&g, argv, e);
    parallel_close(&g);
    json_decref(json);
    return code;
}

int main(int argc, char **argv) {
    struct base_error e = {0};
    if (argc != 7) {
        fputs("usage: step FOLDER TOKENS BATCH SEQ THREADS GRADIENTS\n", stderr);
        return BASE_USAGE;
    }
    const int code = run(argv, &e);
    if (code) fprintf(stderr, "step: %s\n", e.text);
    return code;
}
