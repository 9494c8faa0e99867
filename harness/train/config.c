/* SPDX-License-Identifier: Apache-2.0
 *
 * A record's "config": what was trained and on which inputs. Two records with one config did the same work. */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "records/get.h"
#include "records/same.h"
#include "records/set.h"
#include "train/record.h"

/* A name with any bytes as a JSON string: what is not UTF-8 becomes "?". */
static json_t *words(const char *text) {
    json_t *o = json_string(text);
    char plain[512];
    if (o) return o;
    snprintf(plain, sizeof plain, "%s", text);
    for (char *c = plain; *c; c++)
        if ((unsigned char)*c > 126) *c = '?';
    return json_string(plain);
}

const char *train_precision(const struct plan *p) {
    return p->shape.dtype == KERNEL_F32 ? "fp32" : "bf16";
}

static void set_experts(json_t *o, const struct plan *p) {
    const struct model_config *c = &p->request.config;
    const struct model_route *route = &p->request.route;
    record_set_integer(o, "experts", c->experts), record_set_integer(o, "experts_active", c->active);
    record_set_integer(o, "full_experts", c->full_experts);
    record_set_integer(o, "active_parameters", model_params_active(c));
    record_set_number(o, "balance_weight", c->balance);
    if (c->shared) record_set_integer(o, "shared_experts", c->shared);
    if (c->expert_scale != 1) record_set_number(o, "expert_scale", c->expert_scale);
    char skew[40];
    snprintf(skew, sizeof skew, "skew=%.15g", route->skew);
    if (strtod(skew + 5, NULL) != route->skew) snprintf(skew, sizeof skew, "skew=%.17g", route->skew);
    record_set(o, "route", json_string(!route->forced ? "measured" : route->skew == 1 ? "balanced" : skew));
}

json_t *train_plan_config(const struct plan *p) {
    const struct model_config *c = &p->request.config;
    json_t *o = json_object();
    record_set(o, "model", words(c->name));
    record_set(o, "family", json_string(c->family->type));
    record_set_integer(o, "parameters", c->parameters);
    record_set_integer(o, "layers", c->layers);
    record_set_integer(o, "full_layers", c->full_layers);
    record_set(o, "slice", json_boolean(model_config_is_slice(c)));
    record_set_integer(o, "width", c->width);
    record_set_integer(o, "heads", c->heads);
    record_set_integer(o, "kv_heads", c->kv_heads);
    record_set_integer(o, "head_dim", c->head_dim);
    if (c->window) record_set_integer(o, "window", c->window);
    record_set(o, "tied", json_boolean(c->tied));
    record_set_integer(o, "ffn", c->ffn);
    if (c->experts > 0) set_experts(o, p);
    record_set_integer(o, "vocab", c->vocab);
    if (c->positions < MODEL_ENDLESS) record_set_integer(o, "positions", c->positions);
    record_set_number(o, "norm_eps", c->norm_eps);
    record_set_number(o, "init_std", c->init_std);
    if (c->rotary.theta > 0) record_set_number(o, "rotary_theta", c->rotary.theta);
    if (c->rotary.factor > 0) record_set_number(o, "rotary_factor", c->rotary.factor);
    if (c->rotary.factor > 0 && c->rotary.high == 0) record_set(o, "rotary_type", json_string("linear"));
    model_config_notes(o, c);
    record_set(o, "precision", json_string(train_precision(p)));
    record_set_integer(o, "seq", p->request.seq);
    record_set_integer(o, "global_batch", p->request.global_batch);
    return o;
}

/* Records a path with its size and time, so that an edited file counts as other work: KEY_bytes and KEY_modified_s. For
 * a folder, the sum of its files and the newest time. */
static void set_file(json_t *config, const char *key, const char *path) {
    char name[PATH_MAX];
    int64_t bytes = 0, modified = 0;
    struct stat s;
    record_set(config, key, words(path));
    if (stat(path, &s)) return;
    DIR *folder = S_ISDIR(s.st_mode) ? opendir(path) : NULL;
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        snprintf(name, sizeof name, "%.3000s/%s", path, entry->d_name);
        if (stat(name, &s) || !S_ISREG(s.st_mode)) continue;
        bytes += s.st_size;
        modified = s.st_mtime > modified ? s.st_mtime : modified;
    }
    if (folder) closedir(folder);
    snprintf(name, sizeof name, "%s_bytes", key);
    record_set_integer(config, name, folder ? bytes : s.st_size);
    snprintf(name, sizeof name, "%s_modified_s", key);
    record_set_integer(config, name, folder ? modified : s.st_mtime);
}

static void set_inputs(json_t *config, const struct train_options *o) {
    static const char *const init[] = {"init", "init_bytes", "init_modified_s"};
    for (int i = 0; o->from && i < 3; i++) { /* the checkpoint's */
        json_t *value = record_at(o->from->about, "config");
        if ((value = json_object_get(value, init[i]))) json_object_set(config, init[i], value);
    }
    if (o->init) set_file(config, "init", o->init);
    if (!o->data.path) {
        record_set(config, "data", json_string("built-in"));
        return;
    }
    record_set(config, "data_format", json_string(o->data.format ? o->data.format : "auto"));
    set_file(config, "data", o->data.path);
}

static void set_optimizer(json_t *config, const struct train_options *opt) {
    const struct parallel_optimizer *o = &opt->optimizer;
    record_set(config, "optimizer",
               json_pack("{s:s, s:f, s:f, s:I, s:I, s:f, s:f, s:f, s:f, s:f}", "name", "adamw", "lr", o->lr, "lr_min",
                         o->lr_min, "warmup_steps", (json_int_t)o->warmup, "total_steps", (json_int_t)o->total, "beta1",
                         o->beta1, "beta2", o->beta2, "eps", o->eps, "weight_decay", o->decay, "clip", o->clip));
    record_set_integer(config, "seed", (int64_t)opt->seed);
    set_inputs(config, opt);
    record_set(config, "warmup", opt->warmup < 0 ? json_string("rule") : json_integer(opt->warmup));
}

json_t *train_config(const struct plan *p, const struct train_options *o) {
    json_t *config = train_plan_config(p);
    set_optimizer(config, o);
    return config;
}

int train_same_work(const struct plan *p, const struct train_options *o, struct base_error *e) {
    static const char *const free_keys[] = {
        "warmup", "unread",      "model",           "slice", "full_layers", "full_experts",
        "data",   "data_format", "data_modified_s", NULL}; /* names of files, and what they say of themselves */
    static const char RULE[] = "a checkpoint goes on only with the same work; leave out what differs";
    const json_t *about = o->from->about;
    char where[PATH_MAX + 32];
    json_t *config = train_config(p, o), *samples = json_string(o->samples);
    snprintf(where, sizeof where, "--resume %s", o->from->folder);
    int code = record_same_keys(where, "config", record_at(about, "config"), config, free_keys, RULE, e);
    if (!code)
        code = record_same(where, "hash of the first samples", record_at(about, "first samples"), samples, RULE, e);
    json_decref(config), json_decref(samples);
    return code;
}
