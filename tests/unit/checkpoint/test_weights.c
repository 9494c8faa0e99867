/* SPDX-License-Identifier: Apache-2.0
 *
 * Weights in Hugging Face's files. What is written reads back bit for bit, with both kinds of names and in the layout
 * of transformers. A file of another model is refused with names and shapes. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "checkpoint/checkpoint.h"
#include "checkpoint/folder.h"
#include "checkpoint/weights.h"
#include "records/record.h"
#include "unit/support/folder.h"
#include "unit/support/rig.h"

static const char *const families[] = {"gpt2", "bloom", "llama", "mistral"};
enum { FAMILIES = sizeof families / sizeof *families, LAYERS = 3 };

static struct model_config config_of(const char *family) {
    return rig_config_of(family, LAYERS, 24, 4, 31, 12);
}

/* Weights in which all elements differ. */
static float *numbered(const struct model_params *p) {
    float *x = calloc((size_t)p->total, sizeof *x);
    for (int i = 0; i < p->count; i++)
        for (int64_t j = 0; j < p->tensors[i].count; j++)
            x[p->tensors[i].offset + j] = (float)(1000 * i + 1) + (float)j;
    return x;
}

/* A file's tensors in memory, for tests to change before writing them. */
struct file {
    struct data_tensor_out rows[128];
    char names[128][96];
    float *values[128];
    int count;
};
static void file_add(struct file *f, const char *name, int dims, int64_t rows, int64_t cols) {
    const int i = f->count++;
    snprintf(f->names[i], sizeof f->names[i], "%s", name);
    f->rows[i] = (struct data_tensor_out){.name = f->names[i], .dims = dims, .shape = {rows, cols}};
    f->values[i] = calloc((size_t)(rows * (dims == 2 ? cols : 1)), sizeof(float));
}
static int file_find(const struct file *f, const char *end) {
    for (int i = 0; i < f->count; i++) {
        const size_t n = strlen(f->names[i]), m = strlen(end);
        if (n >= m && !strcmp(f->names[i] + n - m, end)) return i;
    }
    fail_msg("no tensor ends in %s", end);
    return -1;
}
/* Reads everything that checkpoint_weights_write wrote. */
static void file_read(struct file *f, const char *path) {
    struct base_error e = {0};
    struct data_tensors *set;
    f->count = 0;
    if (data_tensors_open(&set, path, &e)) fail_msg("%s", e.text);
    for (int i = 0; i < data_tensors_count(set); i++) {
        const struct data_tensor *t = data_tensors_at(set, i);
        file_add(f, t->name, t->dims, t->shape[0], t->shape[1]);
        data_tensor_read(t, 0, t->count, f->values[i]);
    }
    data_tensors_close(set);
}
static void fill(void *context, int i, int64_t first, int64_t n, float *out) {
    memcpy(out, ((struct file *)context)->values[i] + first, (size_t)n * sizeof *out);
}
static void file_write(struct file *f, const char *path) {
    struct base_error e = {0};
    if (data_tensors_write(path, f->rows, f->count, fill, f, &e)) fail_msg("%s", e.text);
}
static void file_free(struct file *f) {
    while (f->count) free(f->values[--f->count]);
}

/* One family's model, its numbered weights, and a valid file of them. */
struct model_file {
    struct model_config config;
    struct model_params params;
    float *values;
    struct file file;
    char path[256];
};
static void open_family(struct model_file *m, const char *family) {
    struct base_error e = {0};
    memset(m, 0, sizeof *m);
    m->config = config_of(family);
    if (model_params_open(&m->params, &m->config, &e)) fail_msg("%s", e.text);
    m->values = numbered(&m->params);
    snprintf(m->path, sizeof m->path, "%s", folder_name("model.safetensors"));
    const struct plan_request q = rig_request(&m->config, KERNEL_F32, 4, 1, 1);
    struct rig rig;
    rig_open(&rig, &q, KERNEL_ISA_ref, KERNEL_BACKEND_TOISE, 1);
    memcpy(rig.engine.master, m->values, (size_t)m->params.total * sizeof *m->values);
    if (checkpoint_weights_write(m->path, &rig.engine, PARALLEL_MASTER, &e)) fail_msg("%s", e.text);
    rig_close(&rig);
    file_read(&m->file, m->path);
}
static void close_family(struct model_file *m) {
    file_free(&m->file);
    free(m->values);
    model_params_close(&m->params);
}

static int values(const struct checkpoint_weights *w, const struct model_params *p, float *out, struct base_error *e) {
    int code = BASE_OK;
    for (int i = 0; i < p->count && !code; i++)
        code = checkpoint_weights_values(w, &p->tensors[i], "", 1 + i % 2, out + p->tensors[i].offset, e);
    return code;
}
static int load(const struct model_file *m, float *out, struct base_error *e) {
    struct checkpoint_weights w;
    int code = checkpoint_weights_open(&w, m->path, &m->params, &m->config, e);
    if (code) return code;
    code = values(&w, &m->params, out, e);
    checkpoint_weights_close(&w);
    return code;
}
static void expect_same(const struct model_file *m) {
    struct base_error e = {0};
    float *out = calloc((size_t)m->params.total, sizeof *out);
    if (load(m, out, &e)) fail_msg("%s: %s", m->config.family->type, e.text);
    assert_memory_equal(out, m->values, (size_t)m->params.total * sizeof *out);
    free(out);
}
static void expect_refused(struct model_file *m, const char *first, const char *second, const char *third) {
    const char *const words[] = {first, second, third};
    struct base_error e = {0};
    float *out = calloc((size_t)m->params.total, sizeof *out);
    file_write(&m->file, m->path);
    assert_int_equal(load(m, out, &e), BASE_USAGE);
    for (int i = 0; i < 3; i++)
        if (!strstr(e.text, words[i])) fail_msg("%s: no \"%s\" in: %s", m->config.family->type, words[i], e.text);
    free(out);
}

static void test_round_trip(void **state) {
    (void)state;
    for (int f = 0; f < FAMILIES; f++) {
        struct model_file m;
        open_family(&m, families[f]);
        expect_same(&m);
        const size_t prefix = strlen(m.config.family->prefix);
        for (int i = 0; i < m.file.count; i++) /* as saved without a head: names without prefix */
            if (!strncmp(m.file.names[i], m.config.family->prefix, prefix))
                memmove(m.file.names[i], m.file.names[i] + prefix, strlen(m.file.names[i]) - prefix + 1);
        file_write(&m.file, m.path);
        expect_same(&m);
        close_family(&m);
    }
}

/* transformers' names and layout, by hand: GPT-2's Conv1D is [in, out], the others [out, in]. */
static void test_names_and_layout(void **state) {
    (void)state;
    static const struct {
        const char *family, *name;
        enum model_role role;
        int64_t rows, cols;
        bool transposed;
    } rows[] = {
        {"gpt2", "transformer.h.1.attn.c_attn.weight", MODEL_QKV_WEIGHT, 24, 72, true},
        {"gpt2", "transformer.h.2.mlp.c_proj.weight", MODEL_DOWN_WEIGHT, 96, 24, true},
        {"gpt2", "transformer.wpe.weight", MODEL_POSITION_TABLE, 12, 24, false},
        {"bloom", "transformer.word_embeddings.weight", MODEL_TOKEN_TABLE, 31, 24, false},
        {"bloom", "transformer.h.0.self_attention.query_key_value.weight", MODEL_QKV_WEIGHT, 72, 24, false},
        {"llama", "model.layers.1.self_attn.k_proj.weight", MODEL_KEY_WEIGHT, 12, 24, false},
        {"llama", "model.layers.2.mlp.up_proj.weight", MODEL_UP_VALUE_WEIGHT, 96, 24, false},
        {"mistral", "lm_head.weight", MODEL_HEAD_WEIGHT, 31, 24, false},
    };
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct model_file m;
        open_family(&m, rows[r].family);
        const int i = file_find(&m.file, rows[r].name);
        assert_string_equal(m.file.names[i], rows[r].name);
        assert_int_equal(m.file.rows[i].shape[0], rows[r].rows);
        assert_int_equal(m.file.rows[i].shape[1], rows[r].cols);
        const char *digit = strpbrk(rows[r].name, "0123456789");
        const float *x = m.values + model_params_offset(&m.params, rows[r].role, digit ? *digit - '0' : 0);
        for (int64_t a = 0; a < rows[r].rows; a++)
            for (int64_t b = 0; b < rows[r].cols; b++)
                assert_true(m.file.values[i][a * rows[r].cols + b] ==
                            (rows[r].transposed ? x[b * rows[r].rows + a] : x[a * rows[r].cols + b]));
        close_family(&m);
    }
}

static void test_refused(void **state) {
    (void)state;
    struct model_file m;
    open_family(&m, "llama");
    const int k = file_find(&m.file, "layers.1.self_attn.k_proj.weight");
    m.file.rows[k].shape[0] = 6;
    m.file.rows[k].shape[1] = 48;
    expect_refused(&m, "layers.1.self_attn.k_proj.weight", "is [6, 48]", "must be [12, 24]");
    m.file.rows[k].shape[0] = 12;
    m.file.rows[k].shape[1] = 24;
    m.file.values[k][5] = NAN;
    expect_refused(&m, "layers.1.self_attn.k_proj.weight", "not finite", "not finite");
    m.file.values[k][5] = 0;
    m.file.names[k][strlen(m.file.names[k]) - 1] = 'x';
    expect_refused(&m, "missing", "model.layers.1.self_attn.k_proj.weight [12, 24]",
                   "model.layers.1.self_attn.k_proj.weight [12, 24]");
    m.file.names[k][strlen(m.file.names[k]) - 1] = 't';
    file_add(&m.file, "model.layers.1.self_attn.q_proj.bias", 1, 24, 0);
    expect_refused(&m, "not part of", "model.layers.1.self_attn.q_proj.bias [24]",
                   "model.layers.1.self_attn.q_proj.bias [24]");
    close_family(&m);
    open_family(&m, "llama"); /* a deeper model's file */
    file_add(&m.file, "model.layers.3.input_layernorm.weight", 1, 24, 0);
    expect_refused(&m, "not part of", "model.layers.3.input_layernorm.weight [24]",
                   "model.layers.3.input_layernorm.weight [24]");
    close_family(&m);
}

/* transformers' buffers, a tied head's copy, and layers beyond a slice. */
static void test_ignored(void **state) {
    (void)state;
    struct model_file m;
    open_family(&m, "gpt2");
    file_add(&m.file, "transformer.h.1.attn.bias", 2, 12, 12);
    file_add(&m.file, "h.0.attn.masked_bias", 0, 1, 1);
    file_write(&m.file, m.path);
    expect_same(&m);
    const int table = file_find(&m.file, "wte.weight"), head = m.file.count;
    file_add(&m.file, "lm_head.weight", 2, 31, 24);
    memcpy(m.file.values[head], m.file.values[table], 31 * 24 * sizeof(float));
    file_write(&m.file, m.path);
    expect_same(&m);
    m.file.values[head][7]++;
    expect_refused(&m, "lm_head.weight", "differs", "tie_word_embeddings");
    close_family(&m);

    struct base_error e = {0};
    open_family(&m, "mistral");
    struct model_config slice = m.config;
    struct model_params params;
    assert_int_equal(model_config_slice(&slice, 1, &e), BASE_OK);
    assert_int_equal(model_params_open(&params, &slice, &e), BASE_OK);
    struct checkpoint_weights w;
    float *out = calloc((size_t)params.total, sizeof *out);
    if (checkpoint_weights_open(&w, m.path, &params, &slice, &e) || values(&w, &params, out, &e))
        fail_msg("%s", e.text);
    checkpoint_weights_close(&w);
    assert_memory_equal(out, m.values, (size_t)(params.layer0 + params.layer_size) * sizeof *out);
    free(out);
    model_params_close(&params);
    close_family(&m);
}

/* An engine's weights, saved and loaded again: the same bits and the same configuration, with scaled positions. */
static void test_save(void **state) {
    (void)state;
    static const struct model_rotary scaled[] = {{.theta = 100, .factor = 4},
                                                 {.theta = 5e5, .factor = 8, .low = 1, .high = 4, .original = 32},
                                                 {.theta = 1e4, .dynamic = 2}};
    for (int f = 0; f < FAMILIES + 3; f++) {
        struct model_config c = config_of(f < FAMILIES ? families[f] : "llama");
        if (f >= FAMILIES) c.rotary = scaled[f - FAMILIES];
        const struct plan_request q = rig_request(&c, KERNEL_F32, 8, 1, 1);
        struct base_error e = {0};
        struct rig a, b;
        char where[256], path[300];
        snprintf(where, sizeof where, "%s", folder_name(c.family->type));
        rig_open(&a, &q, KERNEL_ISA_ref, KERNEL_BACKEND_TOISE, 3);
        rig_open(&b, &q, KERNEL_ISA_ref, KERNEL_BACKEND_TOISE, 4);
        assert_int_equal(checkpoint_folder_check(where, false, &e), BASE_OK);
        assert_int_equal(checkpoint_folder_check(where, true, &e), BASE_OK);
        if (checkpoint_export(&a.engine, where, &e) || checkpoint_weights_load(&b.engine, where, &e))
            fail_msg("%s", e.text);
        assert_memory_equal(a.engine.master, b.engine.master, (size_t)a.engine.params.total * sizeof(float));
        assert_int_equal(checkpoint_folder_check(where, false, &e), BASE_USAGE); /* exists now */
        assert_int_equal(checkpoint_folder_check(where, true, &e), BASE_USAGE);
        snprintf(path, sizeof path, "%s/config.json", where);
        json_t *json;
        struct model_config back;
        assert_int_equal(record_json_load(path, &json, &e), BASE_OK);
        if (model_config_parse(&back, c.name, json, path, &e)) fail_msg("%s", e.text);
        assert_memory_equal(&back, &c, sizeof c);
        json_decref(json);
        unlink(path);
        snprintf(path, sizeof path, "%s/model.safetensors", where);
        unlink(path);
        assert_int_equal(rmdir(where), 0); /* nothing else is in it */
        rig_close(&a);
        rig_close(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip), cmocka_unit_test(test_names_and_layout),
                                       cmocka_unit_test(test_refused), cmocka_unit_test(test_ignored),
                                       cmocka_unit_test(test_save)};
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
