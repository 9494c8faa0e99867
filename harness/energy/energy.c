/* SPDX-License-Identifier: Apache-2.0
 *
 * Opens and closes the sources of a node, and starts the threads that read them. */
#include "energy/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

enum { LIST_BYTES = 256 };

/* The words of options->choice, which may be NULL. */
static int words_of(const struct energy_options *o, char *text, const char *words[ENERGY_KINDS]) {
    return base_text_words(o->choice ? o->choice : "auto", text, LIST_BYTES, words, ENERGY_KINDS);
}

/* "auto", "off", or a kind. */
static bool is_word(const char *word, int *kind) {
    for (*kind = 0; *kind < ENERGY_KINDS; ++*kind)
        if (!strcmp(word, energy_readers[*kind].name)) return true;
    return false;
}

static bool names(const struct energy_options *o, enum energy_kind kind) {
    char text[LIST_BYTES];
    const char *words[ENERGY_KINDS];
    const int count = words_of(o, text, words);
    return base_text_find(energy_readers[kind].name, words, count) >= 0;
}

static bool chose(const struct energy_options *o, const char *word) {
    return !strcmp(o->choice ? o->choice : "auto", word);
}

int energy_check(const struct energy_options *o, struct base_error *e) {
    char text[LIST_BYTES];
    const char *words[ENERGY_KINDS];
    const int count = words_of(o, text, words);
    int kind;
    if (o->command && !o->command[0])
        return base_fail(e, BASE_USAGE, "--power-cmd is empty: pass a command that prints watts");
    if (o->command && chose(o, "off"))
        return base_fail(e, BASE_USAGE, "--power-cmd and --energy off cannot be combined; leave out one of the two");
    if (chose(o, "auto") || chose(o, "off")) return BASE_OK;
    for (int i = 0; i < count; i++)
        if (!is_word(words[i], &kind))
            return base_fail(e, BASE_USAGE,
                             "--energy: unknown source \"%s\"; pass auto, off, list, or some of command, cray, rapl, "
                             "hwmon, slurm",
                             words[i]);
    if (count < 1)
        return base_fail(e, BASE_USAGE, "--energy \"%s\": pass auto, off, list, or at most %d sources", o->choice,
                         ENERGY_KINDS);
    if (names(o, ENERGY_COMMAND) && !o->command) return base_fail(e, BASE_USAGE, "--energy command needs --power-cmd");
    return BASE_OK;
}

/* Whether options want this kind; *must: without it the run would be in vain. Slurm's commands burden its controller,
 * so auto takes them only where nothing else can be read. */
static bool wanted(const struct energy_options *o, enum energy_kind kind, bool found, bool *must) {
    *must = names(o, kind) || (kind == ENERGY_COMMAND && o->command);
    return *must || (chose(o, "auto") && kind != ENERGY_COMMAND && (kind != ENERGY_SLURM || !found));
}

static int open_sources(struct energy *g, const struct energy_options *o, const struct comm *world,
                        struct base_error *e) {
    bool found = false, must;
    char host[64] = "";
    if (world->nodes > 1) gethostname(host, sizeof host - 1);
    const char *on = host[0] ? " on " : "";
    for (int k = 0; k < ENERGY_KINDS; k++) {
        struct energy_source *s = &g->source[k];
        if (!wanted(o, (enum energy_kind)k, found, &must) || (k == ENERGY_SLURM && world->rank > 0)) continue;
        const int code = energy_source_open(s, (enum energy_kind)k, o, e);
        if (code) return code;
        found = found || s->state == ENERGY_MEASURED;
        if (!must || s->state == ENERGY_MEASURED) continue;
        if (k == ENERGY_COMMAND) return base_fail(e, BASE_USAGE, "%s%s%s", s->why, on, host);
        return base_fail(e, BASE_USAGE, "--energy %s: %s (%s)%s%s%s; --energy list shows what can be read",
                         energy_readers[k].name, energy_state_name(s->state), s->why, on, host,
                         s->state == ENERGY_PERMISSION ? ": only root may read it here, ask the administrator" : "");
    }
    return BASE_OK;
}

/* CPU seconds of this process and its ended children. */
static double own_cpu(void) {
    double sum = 0;
    struct rusage u;
    for (int i = 0; i < 2; i++)
        if (!getrusage(i ? RUSAGE_CHILDREN : RUSAGE_SELF, &u))
            sum += (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
                   1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
    return sum;
}

/* CPU seconds of all processes of the node so far, without steal; 0: unknown. */
static double node_cpu(const char *root) {
    char path[PATH_MAX], text[256];
    double user, nice, system, idle, wait, irq, soft;
    snprintf(path, sizeof path, "%.2000s/proc/stat", root);
    base_file_field(path, "cpu ", text, sizeof text);
    if (sscanf(text, "%lf %lf %lf %lf %lf %lf %lf", &user, &nice, &system, &idle, &wait, &irq, &soft) != 7) return 0;
    return (user + nice + system + irq + soft) / (double)sysconf(_SC_CLK_TCK);
}

void energy_cpu_read(const char *root, struct energy_cpu *now) {
    *now = (struct energy_cpu){.own_s = own_cpu(), .node_s = node_cpu(root)};
}

static void start(struct energy *g, const struct energy_options *o) {
    struct base_cpus *cpus = &g->cpus;
    if (o->cpus) *cpus = *o->cpus;
    g->apart = o->cpus && cpus->count > o->threads;
    if (g->apart) {
        memmove(cpus->cpu, cpus->cpu + o->threads, sizeof *cpus->cpu * (size_t)(cpus->count - o->threads));
        cpus->count -= o->threads;
    }
    for (int k = 0; k < ENERGY_KINDS; k++)
        if (g->source[k].state == ENERGY_MEASURED) energy_sampler_start(&g->sampler[k], &g->source[k], cpus);
}

int energy_open(struct energy **energy, const struct energy_options *o, struct comm *world, struct base_error *e) {
    struct energy *g = calloc(1, sizeof *g);
    int code = g ? BASE_OK : base_fail(e, BASE_BROKEN, "out of memory for energy readings");
    for (int k = 0; g && k < ENERGY_KINDS; k++) energy_source_skip(&g->source[k], (enum energy_kind)k);
    if (g) snprintf(g->root, sizeof g->root, "%s", o->root);
    if (g) g->off = chose(o, "off");
    if (!code && world->local_rank == 0 && !g->off) code = open_sources(g, o, world, e);
    if ((code = comm_agree(world, code, e))) {
        energy_close(g);
        return code;
    }
    start(g, o);
    energy_cpu_read(g->root, &g->before);
    *energy = g;
    return BASE_OK;
}

void energy_stop(struct energy *g) {
    for (int k = 0; k < ENERGY_KINDS; k++) energy_sampler_end(&g->sampler[k]);
    for (int k = 0; k < ENERGY_KINDS; k++) energy_sampler_join(&g->sampler[k]);
}

void energy_close(struct energy *g) {
    if (!g) return;
    energy_stop(g);
    for (int k = 0; k < ENERGY_KINDS; k++) energy_source_close(&g->source[k]);
    free(g);
}

json_t *energy_list(const struct energy_options *o) {
    json_t *all = json_array();
    struct energy_source *s = calloc(1, sizeof *s);
    for (int k = 0; s && k < ENERGY_KINDS; k++) {
        struct base_error e;
        if (energy_source_open(s, (enum energy_kind)k, o, &e)) energy_source_fault(s, ENERGY_FAULT, "%s", e.text);
        json_array_append_new(all, energy_source_record(s));
        energy_source_close(s);
    }
    free(s);
    return all;
}
