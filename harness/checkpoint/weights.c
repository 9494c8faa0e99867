/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads weights: checks names and shapes against the parameter table, then copies values. */
#include "checkpoint/weights.h"

#include <math.h>
#include <omp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/names.h"
#include "parallel/collect.h"

enum { LISTED = 6, PIECE = 1 << 16 }; /* tensors that a message names; elements read at a time */

/* The tensors with one kind of fault: the number, and the first few names as text. */
struct list {
    int count;
    char text[640];
};
static void list_add(struct list *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void list_add(struct list *l, const char *format, ...) {
    const size_t used = strlen(l->text), room = sizeof l->text - used;
    va_list args;
    if (l->count++ >= LISTED || room < 8) return;
    snprintf(l->text + used, room, "%s", used ? ", " : "");
    va_start(args, format);
    vsnprintf(l->text + strlen(l->text), sizeof l->text - strlen(l->text), format, args);
    va_end(args);
}
static const char *more(const struct list *l) {
    return l->count > LISTED ? ", ..." : "";
}

static void shape_text(int dims, const int64_t *shape, char text[64]) {
    size_t used = (size_t)snprintf(text, 64, "[");
    for (int i = 0; i < dims && used < 48; i++)
        used += (size_t)snprintf(text + used, 64 - used, "%s%lld", i ? ", " : "", (long long)shape[i]);
    snprintf(text + used, 64 - used, "]");
}

static bool same_shape(const struct data_tensor *t, const struct data_tensor_out *want) {
    bool same = t->dims == want->dims;
    for (int i = 0; same && i < t->dims; i++) same = t->shape[i] == want->shape[i];
    return same;
}

/* Every tensor of the model must be there, with its shape and a readable type. */
static int check_model(const struct checkpoint_weights *w, const struct model_params *p, struct base_error *e) {
    struct list missing = {0}, shapes = {0}, types = {0};
    char name[CHECKPOINT_NAME], wanted[64], found[64];
    for (int i = 0; i < p->count; i++) {
        struct data_tensor_out want;
        checkpoint_row(&p->tensors[i], "", w->prefix, name, &want);
        const struct data_tensor *t = data_tensors_find(w->set, name);
        shape_text(want.dims, want.shape, wanted);
        if (!t) {
            list_add(&missing, "%s %s", name, wanted);
            continue;
        }
        shape_text(t->dims, t->shape, found);
        if (!same_shape(t, &want)) list_add(&shapes, "%s is %s and must be %s", name, found, wanted);
        if (t->dtype == DATA_UNREAD) list_add(&types, "%s is %s", name, t->type);
    }
    if (missing.count)
        return base_fail(e, BASE_USAGE,
                         "%s %s: %d of the model's %d tensors are missing: %s%s; give weights of this model", w->flag,
                         w->path, missing.count, p->count, missing.text, more(&missing));
    if (shapes.count)
        return base_fail(e, BASE_USAGE, "%s %s: %d tensors have other shapes than the model: %s%s", w->flag, w->path,
                         shapes.count, shapes.text, more(&shapes));
    if (types.count)
        return base_fail(e, BASE_USAGE, "%s %s: toise reads F32, F16 and BF16 only; convert %s%s", w->flag, w->path,
                         types.text, more(&types));
    return BASE_OK;
}

/* The layer number in a file's name, after "h." or "layers."; -1: none. */
static int64_t layer_of(const char *name, const struct model_family *f) {
    const struct model_parameter *layered = f->parameters;
    while (!strstr(layered->name, "%d")) layered++;
    const size_t n = (size_t)(strstr(layered->name, "%d") - layered->name), prefix = strlen(f->prefix);
    const char *at = !strncmp(name, f->prefix, prefix) ? name + prefix : name;
    return strncmp(at, layered->name, n) || at[n] < '0' || at[n] > '9' ? -1 : atoll(at + n);
}

/* Whether a tensor without a place in the model is harmless; see weights.h. */
static bool harmless(const char *name, const struct model_config *c) {
    static const char *const buffers[] = {".attn.bias", ".attn.masked_bias", ".rotary_emb.inv_freq"};
    const size_t n = strlen(name);
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) {
        const size_t end = strlen(buffers[i]);
        if (n > end && !strcmp(name + n - end, buffers[i])) return true;
    }
    const int64_t layer = layer_of(name, c->family);
    return (layer >= c->layers && layer < c->full_layers) || (c->tied && !strcmp(name, "lm_head.weight"));
}

/* Every tensor of the file must have a place in the model. The model's names are sorted for the search. */
static int by_name(const void *a, const void *b) {
    return strcmp(a, b);
}
static int check_extra(const struct checkpoint_weights *w, const struct model_params *p, const struct model_config *c,
                       struct base_error *e) {
    char(*names)[CHECKPOINT_NAME] = calloc((size_t)p->count, CHECKPOINT_NAME), shape[64];
    struct data_tensor_out row;
    struct list extra = {0};
    if (!names) return base_fail(e, BASE_BROKEN, "out of memory for the names of %d tensors", p->count);
    for (int i = 0; i < p->count; i++) checkpoint_row(&p->tensors[i], "", w->prefix, names[i], &row);
    qsort(names, (size_t)p->count, CHECKPOINT_NAME, by_name);
    for (int i = 0; i < data_tensors_count(w->set); i++) {
        const struct data_tensor *t = data_tensors_at(w->set, i);
        if (strlen(t->name) < CHECKPOINT_NAME && bsearch(t->name, names, (size_t)p->count, CHECKPOINT_NAME, by_name))
            continue;
        if (harmless(t->name, c)) continue;
        shape_text(t->dims, t->shape, shape);
        list_add(&extra, "%.100s %s", t->name, shape);
    }
    free(names);
    if (!extra.count) return BASE_OK;
    return base_fail(e, BASE_USAGE, "%s %s: %d tensors are not part of %s: %s%s; give the --model that has them",
                     w->flag, w->path, extra.count, c->name, extra.text, more(&extra));
}

/* If a tied head is in the file, it must equal the token table. */
static int check_tied(const struct checkpoint_weights *w, const struct model_params *p, const struct model_config *c,
                      struct base_error *e) {
    const struct data_tensor *head = data_tensors_find(w->set, "lm_head.weight");
    struct data_tensor_out row;
    char name[CHECKPOINT_NAME];
    if (!c->tied || !head) return BASE_OK;
    checkpoint_row(&p->tensors[0], "", w->prefix, name, &row); /* the token table is first */
    const struct data_tensor *table = data_tensors_find(w->set, name);
    bool same = head->dtype == table->dtype && same_shape(head, &row) &&
                !memcmp(head->bytes, table->bytes, (size_t)table->size);
    if (same) return BASE_OK;
    return base_fail(e, BASE_USAGE,
                     "%s %s: lm_head.weight differs from %s, but the model ties them (tie_word_embeddings)", w->flag,
                     w->path, name);
}

int checkpoint_weights_open(struct checkpoint_weights *weights, const char *path, const struct model_params *p,
                            const struct model_config *c, struct base_error *e) {
    struct checkpoint_weights w = {.flag = "--init", .path = path, .prefix = c->family->prefix};
    struct data_tensor_out row;
    char name[CHECKPOINT_NAME];
    int code = data_tensors_open(&w.set, path, e);
    if (code) return code;
    checkpoint_row(&p->tensors[0], "", "", name, &row);
    if (data_tensors_find(w.set, name)) w.prefix = ""; /* a model saved without its head */
    if (!(code = check_model(&w, p, e)) && !(code = check_extra(&w, p, c, e))) code = check_tied(&w, p, c, e);
    if (code)
        checkpoint_weights_close(&w);
    else
        *weights = w;
    return code;
}

void checkpoint_weights_close(struct checkpoint_weights *w) {
    data_tensors_close(w->set);
    *w = (struct checkpoint_weights){0};
}

/* Copies elements first .. first+n-1 of the file's tensor into place. False: one of them is not finite. */
static bool read_piece(const struct data_tensor *t, const struct model_tensor *m, int64_t first, int64_t n, float *x,
                       float *out) {
    bool finite = true;
    data_tensor_read(t, first, n, x);
    for (int64_t i = 0; i < n; i++) {
        out[checkpoint_element(m, first + i)] = x[i];
        finite = finite && isfinite(x[i]);
    }
    return finite;
}

int checkpoint_weights_values(const struct checkpoint_weights *w, const struct model_tensor *m, const char *array,
                              int threads, float *out, struct base_error *e) {
    float *pieces = malloc((size_t)threads * PIECE * sizeof *pieces);
    char name[CHECKPOINT_NAME];
    struct data_tensor_out row;
    bool finite = true;
    if (!pieces) return base_fail(e, BASE_BROKEN, "out of memory for reading weights");
    checkpoint_row(m, array, w->prefix, name, &row);
    const struct data_tensor *t = data_tensors_find(w->set, name);
    if (!t || !same_shape(t, &row)) {
        free(pieces);
        return base_fail(e, BASE_USAGE, "%s %s: has no tensor '%s' of the model's shape", w->flag, w->path, name);
    }
#pragma omp parallel for num_threads(threads) schedule(static) reduction(&& : finite)
    for (int64_t piece = 0; piece < (m->count + PIECE - 1) / PIECE; piece++) {
        const int64_t first = piece * PIECE, n = m->count - first < PIECE ? m->count - first : PIECE;
        finite = read_piece(t, m, first, n, pieces + (int64_t)omp_get_thread_num() * PIECE, out) && finite;
    }
    free(pieces);
    if (finite) return BASE_OK;
    return base_fail(e, BASE_USAGE, "%s: tensor '%s' holds a value that is not finite; no training can start from it",
                     t->file, name);
}

/* On another node the path may lead to another file, so compare what each rank read with rank 0. */
static int check_same(struct parallel_engine *g, const char *path, uint64_t mine, struct base_error *e) {
    uint64_t first = mine;
    g->world->ops->broadcast(g->world, &first, sizeof first);
    if (first == mine) return BASE_OK;
    return base_fail(e, BASE_USAGE,
                     "--init %s: rank %d reads other weights than rank 0; give a path that all nodes share", path,
                     g->world->rank);
}

int checkpoint_weights_load(struct parallel_engine *g, const char *path, struct base_error *e) {
    const struct model_config *c = &g->plan->request.config;
    struct checkpoint_weights w = {0};
    float *values = malloc((size_t)g->whole.largest * sizeof *values);
    uint64_t read = 0; /* a hash of all */
    int code = values ? checkpoint_weights_open(&w, path, &g->whole, c, e)
                      : base_fail(e, BASE_BROKEN, "out of memory for a tensor of the weights");
    for (int i = 0; i < g->whole.count && !code; i++) {
        code = checkpoint_weights_values(&w, &g->whole.tensors[i], "", g->team.threads, values, e);
        if (code) break;
        parallel_keep(g, PARALLEL_MASTER, i, values);
        read = 3 * read + parallel_mix(values, 4 * g->whole.tensors[i].count, g->team.threads);
    }
    checkpoint_weights_close(&w);
    free(values);
    if ((code = comm_agree(g->world, code, e))) return code;
    parallel_restart(g);
    return comm_agree(g->world, check_same(g, path, read, e), e);
}
