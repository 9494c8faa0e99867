/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads a campaign's file and lists its jobs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "jobs/jobs.h"
#include "records/catalog.h"

enum { LAUNCHES_MOST = 1000, REPEATS_MOST = 100, NODES_MOST = 100000 };

static const struct jobs_command COMMANDS[] = {
    {.name = "train", .kind = "train", .sized = true, .repeats = true},
    {.name = "kernels", .kind = "kernel", .repeats = true, .alone = true},
    {.name = "scale", .kind = "scale", .sized = true},
    {.name = "nodes", .kind = "nodes"},
};
enum { COMMANDS_COUNT = sizeof COMMANDS / sizeof *COMMANDS };

/* An object of the file, and its place for messages: "work.2.". */
struct row {
    const struct jobs_campaign *c;
    const json_t *json;
    char at[32];
};

static int refuse(const struct row *r, const char *key, const char *why, struct base_error *e) {
    return base_fail(e, BASE_USAGE, "%s: field \"%s%s\": %s", r->c->path, r->at, key, why);
}

/* A whole number; absent: *x is kept. */
static int number(const struct row *r, const char *key, int most, int *x, struct base_error *e) {
    const json_t *value = json_object_get(r->json, key);
    char why[64];
    snprintf(why, sizeof why, "must be a whole number from 1 to %d", most);
    if (!value) return BASE_OK;
    if (!json_is_integer(value) || json_integer_value(value) < 1 || json_integer_value(value) > most)
        return refuse(r, key, why, e);
    *x = (int)json_integer_value(value);
    return BASE_OK;
}

static int text(const struct row *r, const char *key, const char **words, struct base_error *e) {
    const json_t *value = json_object_get(r->json, key);
    *words = json_string_value(value);
    if (!value) return BASE_OK;
    if (!*words || !**words) return refuse(r, key, "must be text", e);
    return strchr(*words, '\n') ? refuse(r, key, "must be one line", e) : BASE_OK;
}

/* A name that may stand in file names and commands. */
static bool plain(const char *name) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    const size_t n = strlen(name);
    return n && n <= 64 && strspn(name, letters) == n && *name != '-' && *name != '.';
}

static int texts(const struct row *r, const char *key, const char **list, int *count, struct base_error *e) {
    const json_t *value = json_object_get(r->json, key), *one;
    size_t i;
    if (value && (!json_is_array(value) || json_array_size(value) > JOBS_FLAGS))
        return refuse(r, key, "must be a list of at most 32 texts, as [\"--ci\", \"2%\"]", e);
    json_array_foreach(value, i, one) {
        const char *words = json_string_value(one);
        if (!words || !*words || strchr(words, '\n')) return refuse(r, key, "each of its texts must be one line", e);
        list[(*count)++] = words;
    }
    return BASE_OK;
}

/* Refuses flags that the campaign gives by itself, or that its jobs cannot have. `own` ends with NULL. */
static int check_flags(const struct row *r, const char *key, const char *const *flags, int count,
                       const char *const *own, struct base_error *e) {
    char why[192];
    int owns = 0;
    while (own[owns]) owns++;
    for (int i = 0; i < count; i++) {
        char flag[64];
        snprintf(flag, sizeof flag, "%.*s", (int)strcspn(flags[i], "="), flags[i]);
        if (base_text_find(flag, own, owns) < 0) continue;
        snprintf(why, sizeof why, "%s cannot be given here: the campaign sets it, or its jobs cannot have it", flag);
        return refuse(r, key, why, e);
    }
    return BASE_OK;
}

/* What sbatch gets before the script, so options only. */
static int check_sbatch(const struct row *r, const struct jobs_campaign *c, struct base_error *e) {
    static const char *const own[] = {"--nodes",      "-N",          "--output", "-o", "--job-name", "-J",
                                      "--dependency", "-d",          "--begin",  "-b", "--array",    "-a",
                                      "--wrap",       "--test-only", "--wait",   "-W", "--parsable", NULL};
    for (int i = 0; i < c->sbatch_count; i++)
        if (c->sbatch[i][0] != '-')
            return refuse(r, "sbatch", "each must be one flag with its value, as \"--partition=cpu\"", e);
    return check_flags(r, "sbatch", c->sbatch, c->sbatch_count, own, e);
}

static int read_nodes(const struct row *r, struct jobs_work *w, struct base_error *e) {
    const json_t *value = json_object_get(r->json, "nodes"), *one;
    size_t i;
    if (!json_array_size(value) || json_array_size(value) > JOBS_COUNTS)
        return refuse(r, "nodes", "must be a list of 1 to 64 numbers of nodes, as [1, 2, 4]", e);
    json_array_foreach(value, i, one) {
        const json_int_t nodes = json_integer_value(one);
        if (nodes < 1 || nodes > NODES_MOST) return refuse(r, "nodes", "each must be from 1 to 100000", e);
        for (int k = 0; k < w->node_counts; k++)
            if (w->nodes[k] == nodes) return refuse(r, "nodes", "names a number twice", e);
        w->nodes[w->node_counts++] = (int)nodes;
    }
    return BASE_OK;
}

static int check_workload(const struct row *r, const struct jobs_work *w, struct base_error *e) {
    json_t *json = NULL;
    char path[RECORD_CATALOG_PATH], flag[PATH_MAX + 64];
    if (!w->command->sized) {
        if (w->workload) return refuse(r, "workload", "only train and scale have one", e);
        return w->precision ? refuse(r, "precision", "only train and scale have one", e) : BASE_OK;
    }
    if (!w->workload && w->command->repeats) return refuse(r, "workload", "is missing", e);
    if (w->precision && strcmp(w->precision, "fp32") != 0 && strcmp(w->precision, "bf16") != 0)
        return refuse(r, "precision", "must be fp32 or bf16", e);
    if (!w->workload) return BASE_OK; /* the command's own */
    snprintf(flag, sizeof flag, "%s: field \"%sworkload\"", r->c->path, r->at);
    const int code = record_catalog_load("workloads", flag, w->workload, &json, path, e);
    json_decref(json);
    return code;
}

static int read_work(const struct row *r, struct jobs_work *w, struct base_error *e) {
    static const char *const known[] = {"command",  "label", "workload", "precision", "nodes",
                                        "launches", "time",  "flags",    NULL};
    static const char *const own[] = {"--out",  "--launches",    "--workload", "--precision", "--json",
                                      "--help", "--journal-dir", "--dry-run",  NULL};
    const char *command = NULL;
    int code = record_check_keys(r->json, known, r->c->path, r->at, e);
    if (!code) code = text(r, "command", &command, e);
    if (code) return code;
    for (int i = 0; i < COMMANDS_COUNT; i++)
        if (command && !strcmp(command, COMMANDS[i].name)) w->command = &COMMANDS[i];
    if (!w->command) return refuse(r, "command", "must be train, kernels, scale or nodes", e);
    code = text(r, "label", &w->label, e);
    if (!code && w->label && !plain(w->label))
        code = refuse(r, "label", "must be a plain name, as a part of a file's", e);
    if (!code) code = text(r, "workload", &w->workload, e);
    if (!code) code = text(r, "precision", &w->precision, e);
    if (!code) code = text(r, "time", &w->time, e);
    if (!code) code = check_workload(r, w, e);
    if (!code) code = read_nodes(r, w, e);
    if (!code) code = number(r, "launches", LAUNCHES_MOST, &w->launches, e);
    if (!code) code = texts(r, "flags", w->flags, &w->flag_count, e);
    if (code) return code;
    if (!w->command->repeats) w->launches = 1;
    return check_flags(r, "flags", w->flags, w->flag_count, own, e);
}

/* Only what the row says, so that a row more changes no other job's name. */
static void name_job(struct jobs_job *j, int repeat) {
    const struct jobs_work *w = j->work;
    const char *parts[] = {w->command->name, w->workload, w->precision, w->label};
    size_t used = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (parts[i]) used += (size_t)snprintf(j->name + used, sizeof j->name - used, "%.64s-", parts[i]);
    snprintf(j->name + used, sizeof j->name - used, "%dn-day%d-job%d", j->nodes, j->day, repeat);
}

static int add_job(struct jobs_campaign *c, const struct jobs_job *job, int repeat, struct base_error *e) {
    if (c->count == JOBS_MOST)
        return base_fail(e, BASE_USAGE, "%s: more than %d jobs; divide the campaign", c->path, JOBS_MOST);
    struct jobs_job *j = &c->jobs[c->count];
    *j = *job;
    name_job(j, repeat);
    for (int i = 0; i < c->count; i++)
        if (!strcmp(c->jobs[i].name, j->name))
            return base_fail(e, BASE_USAGE, "%s: two rows of \"work\" make the job %s: give one of them a \"label\"",
                             c->path, j->name);
    c->count++;
    return BASE_OK;
}

static int list_jobs(struct jobs_campaign *c, int days, int repeats, struct base_error *e) {
    int code = BASE_OK;
    for (int day = 1; day <= days; day++)
        for (int repeat = 1; repeat <= repeats; repeat++)
            for (int i = 0; i < c->work_count; i++)
                for (int k = 0; k < c->work[i].node_counts && !code; k++) {
                    const struct jobs_job job = {.work = &c->work[i], .nodes = c->work[i].nodes[k], .day = day};
                    code = add_job(c, &job, repeat, e);
                }
    return code;
}

/* The site's file is beside the campaign's, unless its path is absolute. */
static int find_site(struct jobs_campaign *c, const struct row *r, struct base_error *e) {
    const char *site, *slash = strrchr(c->path, '/');
    char near[PATH_MAX];
    const int code = text(r, "site", &site, e);
    if (code || !site) return code;
    const int head = *site != '/' && slash ? (int)(slash - c->path) + 1 : 0;
    snprintf(near, sizeof near, "%.*s%.1024s", head, c->path, site);
    return realpath(near, c->site) ? BASE_OK : refuse(r, "site", "no such file beside the campaign's", e);
}

static int read_all(struct jobs_campaign *c, const struct row *r, const char *folder, struct base_error *e) {
    static const char *const known[] = {"name", "about", "site",    "sbatch", "launches",
                                        "jobs", "days",  "at_once", "work",   NULL};
    int days = 1, repeats = 1, launches = 5;
    const char *about;
    const json_t *work = json_object_get(r->json, "work"), *one;
    size_t i;
    int code = record_check_keys(r->json, known, c->path, "the file", e);
    if (!code) code = text(r, "name", &c->name, e);
    if (!code && (!c->name || !plain(c->name)))
        code = refuse(r, "name", "must be a plain name of letters, digits, -, _ and .", e);
    if (!code) code = text(r, "about", &about, e);
    if (!code) code = find_site(c, r, e);
    if (!code) code = texts(r, "sbatch", c->sbatch, &c->sbatch_count, e);
    if (!code) code = check_sbatch(r, c, e);
    if (!code) code = number(r, "launches", LAUNCHES_MOST, &launches, e);
    if (!code) code = number(r, "jobs", REPEATS_MOST, &repeats, e);
    if (!code) code = number(r, "days", REPEATS_MOST, &days, e);
    if (!code) code = number(r, "at_once", REPEATS_MOST, &c->at_once, e);
    if (code) return code;
    if (!json_array_size(work) || json_array_size(work) > JOBS_WORK)
        return refuse(r, "work", "must be a list of 1 to 256 objects", e);
    if (folder)
        snprintf(c->folder, sizeof c->folder, "%s", folder);
    else
        snprintf(c->folder, sizeof c->folder, "results/%s", c->name);
    json_array_foreach(work, i, one) {
        struct row inner = {c, one, ""};
        snprintf(inner.at, sizeof inner.at, "work.%zu.", i + 1);
        c->work[i].launches = launches;
        c->work_count++;
        if ((code = read_work(&inner, &c->work[i], e))) return code;
    }
    return list_jobs(c, days, repeats, e);
}

int jobs_read(struct jobs_campaign *c, const char *path, const char *folder, struct base_error *e) {
    memset(c, 0, sizeof *c);
    c->at_once = 1;
    snprintf(c->path, sizeof c->path, "%s", path);
    int code = record_json_load(path, &c->json, e);
    if (code) return code;
    if (!(c->jobs = calloc(JOBS_MOST, sizeof *c->jobs))) return base_fail(e, BASE_BROKEN, "out of memory");
    const struct row all = {c, c->json, ""};
    return read_all(c, &all, folder, e);
}

void jobs_close(struct jobs_campaign *c) {
    json_decref(c->json);
    free(c->jobs);
    memset(c, 0, sizeof *c);
}
