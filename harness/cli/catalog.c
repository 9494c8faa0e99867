/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads models and workloads of the catalogue or of the user. */
#include "cli/catalog.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "records/catalog.h"
#include "records/record.h"

/* A model's name: that of the preset, of the file, or of the folder of a config.json, as transformers saves them. */
static void name_of(const char *path, char name[64]) {
    char whole[PATH_MAX], *last;
    const bool resolved =
        record_catalog_is_path(path) && realpath(path, whole); /* "./config.json" does not name its folder */
    if (!resolved) snprintf(whole, sizeof whole, "%s", path);
    last = strrchr(whole, '/');
    if (last && last > whole && !strcmp(last, "/config.json")) {
        *last = 0;
        last = strrchr(whole, '/');
    }
    snprintf(name, 64, "%.63s", last ? last + 1 : whole);
}

static int load(const char *name, bool priced, struct model_config *config, struct base_error *e) {
    char path[RECORD_CATALOG_PATH];
    json_t *json = NULL;
    const bool own = record_catalog_is_path(name);
    snprintf(path, sizeof path, "%s", name);
    int code = own ? record_json_load(name, &json, e) : record_catalog_load("models", "--model", name, &json, path, e);
    if (code) return code;
    char called[64];
    name_of(name, called);
    code = (priced ? model_config_parse_priced : model_config_parse)(config, called, json, path, e);
    const json_t *stated = json_object_get(json, "parameters");
    if (!code && stated && !(json_is_integer(stated) && json_integer_value(stated) == config->parameters))
        code = base_fail(e, BASE_USAGE,
                         "%s: field \"parameters\" must be %lld, as the sizes give; correct it or leave it out", path,
                         (long long)config->parameters);
    json_decref(json);
    return code;
}

int cli_catalog_model(const char *name, struct model_config *config, struct base_error *e) {
    return load(name, false, config, e);
}

int cli_catalog_priced(const char *name, struct model_config *config, struct base_error *e) {
    return load(name, true, config, e);
}

int cli_catalog_beside(const char *weights, char path[PATH_MAX], struct base_error *e) {
    struct stat s;
    const bool folder = !stat(weights, &s) && S_ISDIR(s.st_mode);
    const char *slash = strrchr(weights, '/');
    const int base = folder ? (int)strlen(weights) : slash ? (int)(slash - weights) : 0;
    snprintf(path, PATH_MAX, "%.*s%sconfig.json", base, weights, folder || slash ? "/" : "./");
    if (!access(path, R_OK)) return BASE_OK;
    if (stat(weights, &s)) return base_fail(e, BASE_USAGE, "--init %s: %s", weights, strerror(errno));
    return base_fail(e, BASE_USAGE, "--init %s: cannot read the model's %s: %s; add it, or give --model", weights, path,
                     strerror(access(path, R_OK) ? errno : 0));
}

/* Reads mode and batch. A mode says which of the two batches is fixed. */
static int read_batch(const json_t *json, const char *path, struct cli_workload *w, struct base_error *e) {
    static const char *const keys[] = {[RECORD_STRONG] = "global_batch", [RECORD_WEAK] = "batch_per_node"};
    const json_t *mode = json_object_get(json, "mode");
    w->scaling = -1;
    for (int i = 0; mode && record_scaling_mode_name(i); i++)
        if (!strcmp(record_scaling_mode_name(i), record_text(json, "mode"))) w->scaling = i;
    if (mode && w->scaling < 0)
        return base_fail(e, BASE_USAGE, "%s: field \"mode\" must be \"strong\" or \"weak\"", path);
    const char *key = keys[w->scaling == RECORD_WEAK], *other = keys[w->scaling != RECORD_WEAK];
    w->batch = record_whole(json, key);
    if (w->batch >= 1 && !json_object_get(json, other)) return BASE_OK;
    return base_fail(e, BASE_USAGE, "%s: field \"%s\" must be a whole number above 0, and \"%s\" absent", path, key,
                     other);
}

int cli_catalog_workload(const char *name, struct cli_workload *w, struct base_error *e) {
    char path[RECORD_CATALOG_PATH];
    const char *model, *own;
    json_int_t version, layers = 0, experts = 0, seq, warmup, total;
    json_error_t error;
    json_t *json;
    struct parallel_optimizer *o = &w->optimizer;
    int code = record_catalog_load("workloads", "--workload", name, &json, path, e);
    if (code) return code;
    if (json_unpack_ex(
            json, &error, 0, "{s:s, s:I, s:s, s?I, s?I, s:I, s:{s:F, s:F, s:I, s:I, s:F, s:F, s:F, s:F, s:F}}", "name",
            &own, "version", &version, "model", &model, "layers", &layers, "experts", &experts, "seq", &seq,
            "optimizer", "lr", &o->lr, "lr_min", &o->lr_min, "warmup_steps", &warmup, "total_steps", &total, "beta1",
            &o->beta1, "beta2", &o->beta2, "eps", &o->eps, "weight_decay", &o->decay, "clip", &o->clip)) {
        code = base_fail(e, BASE_USAGE, "%s: %s", path, error.text);
    } else if (!(code = read_batch(json, path, w, e))) {
        snprintf(w->name, sizeof w->name, "%s", own);
        snprintf(w->model, sizeof w->model, "%s", model);
        w->version = (int)version;
        w->layers = layers, w->experts = experts;
        w->seq = seq;
        o->warmup = warmup;
        o->total = total;
    }
    json_decref(json);
    return code;
}
