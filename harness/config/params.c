/* SPDX-License-Identifier: Apache-2.0
 *
 * Places a family's parameters in one buffer, in order, and fills them with initial values. */
#include "config/params.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"

enum { PIECE = 1 << 16 }; /* elements that a thread initialises at a time */

static int64_t kind_count(const struct model_config *c, const struct model_parameter *p) {
    return model_config_dim(c, p->rows) * model_config_dim(c, p->cols);
}

static bool is_layered(const struct model_parameter *p) {
    return strstr(p->name, "%d") != NULL;
}

/* Parameters with `experts` experts per layer. */
static int64_t count(const struct model_config *c, int64_t experts) {
    int64_t n = 0;
    for (int i = 0; i < c->family->parameter_count; i++) {
        const struct model_parameter *p = &c->family->parameters[i];
        if (model_config_has(c, p->role))
            n += kind_count(c, p) * (is_layered(p) ? model_config_layers(c, p) : 1) * (p->expert ? experts : 1);
    }
    return n;
}

int64_t model_params_count(const struct model_config *c) {
    return count(c, c->own_experts);
}

int64_t model_params_active(const struct model_config *c) {
    return count(c, model_config_mlps(c));
}

static void align(struct model_params *params) {
    params->total = (params->total + 15) / 16 * 16;
}

/* "h.%d.x" with the layer, and with an expert's number in place of a second %d. */
static void write_name(char name[static 64], const char *pattern, int64_t layer, int64_t expert) {
    int64_t numbers[] = {layer, expert}, *next = numbers;
    size_t n = 0;
    for (const char *at = pattern; *at && n < 63; at++) {
        if (at[0] == '%' && at[1] == 'd') {
            n += (size_t)snprintf(name + n, 64 - n, "%lld", (long long)*next++);
            at++;
        } else {
            name[n++] = *at;
        }
    }
    name[n < 63 ? n : 63] = 0;
}

/* Appends one tensor at the end of the buffer. */
static void append(struct model_params *params, const struct model_config *c, const struct model_parameter *p,
                   int64_t layer, int64_t expert) {
    if (!model_config_has(c, p->role)) return;
    if (!p->glued) align(params);
    struct model_tensor unkept, *t = params->tensors ? &params->tensors[params->count] : &unkept;
    params->count++;
    t->kind = p;
    t->layer = layer;
    t->expert = expert;
    t->whole = params->count - 1;
    t->rows = model_config_dim(c, p->rows);
    t->cols = model_config_dim(c, p->cols);
    t->count = t->rows * t->cols;
    t->offset = params->total;
    if (params->tensors) write_name(t->name, p->name, layer, expert); /* else only sizes are wanted */
    if (layer <= 0 && expert <= 0) params->role_offset[p->role] = t->offset;
    params->total += p->rows == MODEL_VOCAB ? model_config_table(c) : t->count;
    if (t->count > params->largest) params->largest = t->count;
}

/* A layer's parameters are the family's rows [first, last). */
static void layered(const struct model_family *f, int *first, int *last) {
    *first = 0, *last = f->parameter_count;
    while (!is_layered(&f->parameters[*first])) ++*first;
    while (!is_layered(&f->parameters[*last - 1])) --*last;
}

/* Sets all offsets; fills the table of tensors if there is one. */
static void lay_out(struct model_params *p, const struct model_config *c) {
    const struct model_family *f = c->family;
    int first, last;
    layered(f, &first, &last);
    for (int r = 0; r < MODEL_ROLES; r++) p->role_offset[r] = -1;
    for (int i = 0; i < first; i++) append(p, c, &f->parameters[i], -1, -1);
    align(p);
    p->layers = c->layers;
    p->layer0 = p->total;
    const int64_t layers = p->tensors ? c->layers : 1; /* all layers have the same size */
    for (int64_t l = 0; l < layers; l++)
        for (int i = first; i < last; i++)
            if (!f->parameters[i].expert) append(p, c, &f->parameters[i], l, -1);
    align(p);
    p->layer_size = (p->total - p->layer0) / layers;
    p->total = p->layer0 + c->layers * p->layer_size;
    for (int i = last; i < f->parameter_count; i++) append(p, c, &f->parameters[i], -1, -1);
    align(p);
    p->expert0 = p->total;
    for (int64_t l = 0; l < layers && c->own_experts > 0; l++)
        for (int64_t x = 0; x < c->own_experts; x++) {
            for (int i = first; i < last; i++)
                if (f->parameters[i].expert) append(p, c, &f->parameters[i], l, x);
            align(p);
            if (l == 0 && x == 0) p->expert_each = p->total - p->expert0;
        }
    p->expert_size = (p->total - p->expert0) / layers;
    p->total = p->expert0 + c->layers * p->expert_size;
}

void model_params_size(struct model_params *params, const struct model_config *c) {
    *params = (struct model_params){0};
    lay_out(params, c);
}

int model_params_open(struct model_params *params, const struct model_config *c, struct base_error *e) {
    struct model_params p = {0};
    int first, last;
    layered(c->family, &first, &last);
    p.tensors = calloc((size_t)(c->family->parameter_count + (last - first) * c->layers * (1 + c->own_experts)),
                       sizeof *p.tensors);
    if (!p.tensors) return base_fail(e, BASE_BROKEN, "out of memory for the parameter table");
    lay_out(&p, c);
    *params = p;
    return BASE_OK;
}

int model_params_open_part(struct model_params *params, const struct model_part *part, const struct model_params *whole,
                           struct base_error *e) {
    const struct model_config config = model_part_config(part);
    const struct model_tensor *of = whole->tensors; /* in the same order */
    const int code = model_params_open(params, &config, e);
    for (int i = 0; !code && i < params->count; i++) {
        struct model_tensor *t = &params->tensors[i];
        t->layer = model_part_layer(part, t->layer);
        if (t->expert >= 0) t->expert += model_part_expert(part);
        while (of->kind != t->kind || of->layer != t->layer || of->expert != t->expert) of++;
        t->whole = of->whole;
        memcpy(t->name, of->name, sizeof t->name);
    }
    return code;
}

void model_params_close(struct model_params *params) {
    free(params->tensors);
    memset(params, 0, sizeof *params);
}

int64_t model_params_offset(const struct model_params *p, enum model_role role, int64_t layer) {
    int64_t offset = role < MODEL_ROLES ? p->role_offset[role] : -1;
    if (offset >= p->expert0) return offset + layer * p->expert_size;
    bool layered = offset >= p->layer0 && offset < p->layer0 + p->layer_size;
    return layered ? offset + layer * p->layer_size : offset;
}

int64_t model_params_ranges(const struct model_params *p) {
    return p->layers + 2 + (p->expert_size ? p->layers : 0);
}

int64_t model_params_start(const struct model_params *p, int64_t range) {
    if (range == 0) return 0;
    return range <= p->layers + 1 ? p->layer0 + (range - 1) * p->layer_size
                                  : p->expert0 + (range - p->layers - 2) * p->expert_size;
}

int64_t model_params_range_of(const struct model_params *p, int64_t element) {
    if (element < p->layer0) return 0;
    if (element >= p->expert0 && p->expert_size) return p->layers + 2 + (element - p->expert0) / p->expert_size;
    const int64_t layer = p->layer_size ? (element - p->layer0) / p->layer_size : p->layers;
    return layer < p->layers ? layer + 1 : p->layers + 1;
}

/* value = mean + std * normal. Hot matrices scale with fan-in, so that depth and width matter little. */
static void moments(const struct model_config *c, const struct model_parameter *kind, bool hot, double *mean,
                    double *std) {
    const enum model_init init = kind->init;
    *mean = init == MODEL_INIT_ONE ? 1 : 0;
    *std = init == MODEL_INIT_NORMAL     ? c->init_std
           : init == MODEL_INIT_RESIDUAL ? c->init_std / sqrt(2.0 * (double)c->full_layers)
                                         : 0;
    if (!hot) return;
    bool matrix = init == MODEL_INIT_NORMAL || init == MODEL_INIT_RESIDUAL;
    bool table = kind->role == MODEL_TOKEN_TABLE || kind->role == MODEL_POSITION_TABLE;
    *mean = init == MODEL_INIT_ONE ? 1.5 : matrix ? 0 : 0.1;
    *std = table ? 0.5 : matrix ? 1.0 / sqrt((double)model_config_dim(c, kind->cols)) : 0.3;
}

/* Elements [low, high) of a part's tensor, which is number `stream` of the model's. */
static void draw(const struct model_split *split, uint64_t seed, uint64_t stream, double mean, double std, int64_t low,
                 int64_t high, float *x) {
    for (int64_t at = low, count; at < high; at += count, x += count) {
        const int64_t from = model_part_place(split, at, &count);
        if (count > high - at) count = high - at;
        if (std > 0) base_random_normal(seed, BASE_STREAM_INIT + stream, (uint64_t)from, (uint64_t)count, x);
        for (int64_t j = 0; j < count; j++) x[j] = std > 0 ? (float)(mean + std * x[j]) : (float)mean;
    }
}

void model_params_init(const struct model_params *params, const struct model_part *part, uint64_t seed, bool hot,
                       int threads, int64_t first, int64_t n, float *w) {
    for (int i = 0; i < params->count; i++) {
        const struct model_tensor *t = &params->tensors[i];
        const struct model_split split = model_part_split(part, t->kind);
        const int64_t low = first > t->offset ? first - t->offset : 0;
        const int64_t high = first + n < t->offset + t->count ? first + n - t->offset : t->count;
        double mean, std;
        moments(part->whole, t->kind, hot, &mean, &std);
#pragma omp parallel for num_threads(threads) schedule(static)
        for (int64_t at = low; at < high; at += PIECE)
            draw(&split, seed, (uint64_t)t->whole, mean, std, at, high - at < PIECE ? high : at + PIECE,
                 w + (t->offset + at - first));
    }
}
