/* SPDX-License-Identifier: Apache-2.0
 *
 * Every node's lowest rank says its host and its switches; rank 0 puts them together, and looks for nodes without
 * ranks. Variables and output are Slurm's: its sbatch, srun, topology.conf and scontrol manuals. */
#define _GNU_SOURCE
#include "inventory/place.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/child.h"
#include "base/text.h"
#include "inventory/hosts.h"
#include "inventory/nodes.h"
#include "records/get.h"
#include "records/set.h"

enum { NAME_MOST = 512, DEPTH = 8 };

/* A host's name without its domain: Slurm's names have none. */
static void short_name(const char *host, char name[HOST_NAME_MAX + 1]) {
    snprintf(name, HOST_NAME_MAX + 1, "%.*s", (int)strcspn(host, "."), host);
}

/* SLURM_TOPOLOGY_ADDR is "core.leaf1.n1", its pattern "switch.switch.node". mpirun hands the first node's to all. */
static void switches_here(const char *host, char *name, size_t size) {
    const char *address = getenv("SLURM_TOPOLOGY_ADDR"), *pattern = getenv("SLURM_TOPOLOGY_ADDR_PATTERN");
    const char *last = address ? strrchr(address, '.') : NULL;
    name[0] = '\0';
    if (last && pattern && base_text_ends(pattern, ".node") && !strcmp(last + 1, host))
        snprintf(name, size, "%.*s", (int)(last - address), address);
}

/* The value of "key=" on the line, up to a blank; a new text, "" if there is none. NULL: out of memory. */
static char *value_of(const char *line, const char *key) {
    const size_t length = strlen(key);
    const char *at = memmem(line, strcspn(line, "\n"), key, length);
    return at ? strndup(at + length, strcspn(at + length, " \n")) : strdup("");
}

/* Adds "SwitchName=leaf1 Level=0 LinkSpeed=1 Nodes=n[1-2]" to {host: {level: name}}. */
static void add_switch(json_t *levels, const char *line) {
    char *name = value_of(line, "SwitchName="), *level = value_of(line, "Level="), *list = value_of(line, "Nodes=");
    json_t *hosts = name && level && list ? inventory_hosts_expand(list) : NULL, *host;
    size_t i;
    json_array_foreach(hosts, i, host) {
        json_t *own = json_object_get(levels, json_string_value(host));
        if (!own) json_object_set_new(levels, json_string_value(host), own = json_object());
        if (name[0] && level[0]) json_object_set_new(own, level, json_string(name));
    }
    json_decref(hosts);
    free(name), free(level), free(list);
}

/* {"0": "leaf1", "1": "core"} as "core.leaf1" */
static json_t *joined(const json_t *levels) {
    char all[NAME_MOST] = "", level[16];
    for (int i = DEPTH - 1; i >= 0; i--) {
        snprintf(level, sizeof level, "%d", i);
        const char *name = json_string_value(json_object_get(levels, level));
        const size_t used = strlen(all);
        if (name) snprintf(all + used, sizeof all - used, "%s%s", used ? "." : "", name);
    }
    return json_string(all);
}

json_t *inventory_switches(const char *topology) {
    json_t *levels = json_object(), *all = json_object(), *own;
    const char *host;
    for (const char *line = topology; *line; line += strcspn(line, "\n"), line += *line == '\n')
        add_switch(levels, line);
    json_object_foreach(levels, host, own) json_object_set_new(all, host, joined(own));
    json_decref(levels);
    return all;
}

/* Slurm's own table, for ranks that mpirun started; a new text, NULL: none. */
static char *ask_topology(void) {
    static char program[] = "scontrol", words[2][16] = {"show", "topology"};
    char *const command[] = {program, words[0], words[1], NULL};
    const struct base_child_how how = {.limit_s = 10, .most = 4 << 20};
    struct base_child_end end = {0};
    if (base_child_run(command, &how, &end, NULL)) return NULL;
    if (!end.code && !end.late) return end.out;
    free(end.out);
    return NULL;
}

/* Completes the nodes' switches if Slurm knows some, and these do not say theirs. */
static void complete(json_t *nodes) {
    const char *pattern = getenv("SLURM_TOPOLOGY_ADDR_PATTERN");
    json_t *node;
    size_t i, silent = 0;
    json_array_foreach(nodes, i, node) silent += !record_text(node, "switches")[0];
    if (!silent || !pattern || !strchr(pattern, '.')) return;
    char *topology = ask_topology();
    json_t *all = inventory_switches(topology ? topology : "");
    json_array_foreach(nodes, i, node) {
        const char *name = json_string_value(json_object_get(all, record_text(node, "host")));
        if (name) record_set(node, "switches", json_string(name));
    }
    json_decref(all);
    free(topology);
}

static void set_hosts(json_t *o, const char *key, const json_t *names) {
    char *text = inventory_hosts(names);
    if (text && text[0]) record_set(o, key, json_string(text));
    free(text);
}

/* [{"name", "hosts"}], in the order of the nodes; empty if one is unknown. */
static json_t *switches_of(const json_t *nodes) {
    json_t *list = json_array(), *all = json_object(), *names, *node;
    const char *name;
    size_t i;
    bool known = true;
    json_array_foreach(nodes, i, node) {
        name = record_text(node, "switches");
        known = known && name[0];
        if (!json_object_get(all, name)) record_set(all, name, json_array());
        json_array_append(json_object_get(all, name), json_object_get(node, "host"));
    }
    json_object_foreach(all, name, names) {
        json_t *o = json_pack("{s:s}", "name", name);
        set_hosts(o, "hosts", names);
        if (known) json_array_append(list, o);
        json_decref(o);
    }
    json_decref(all);
    return list;
}

/* Nodes of the job that are not among these; none if the job's names are not those of the hosts. */
static json_t *unused_of(const json_t *nodes, const char *job) {
    json_t *used = json_object(), *unused = json_array(), *all = job ? inventory_hosts_expand(job) : NULL, *node;
    size_t i, met = 0;
    json_array_foreach(nodes, i, node) json_object_set_new(used, record_text(node, "host"), json_true());
    json_array_foreach(all, i, node) {
        const bool has = json_object_get(used, json_string_value(node)) != NULL;
        met += has;
        if (!has) json_array_append(unused, node);
    }
    if (met < json_object_size(used)) json_array_clear(unused);
    json_decref(used);
    json_decref(all);
    return unused;
}

/* A variable that is a number of nodes; else 0. */
static int count_of(const char *variable) {
    const char *value = getenv(variable);
    return value && strlen(value) < 9 && strspn(value, "0123456789") == strlen(value) ? atoi(value) : 0;
}

static json_t *place_of(json_t *nodes) {
    json_t *o = json_object(), *hosts = json_array(), *node;
    const int asked = count_of("TOISE_NODES_ASKED"), got = count_of("SLURM_JOB_NUM_NODES");
    size_t i;
    complete(nodes);
    json_array_foreach(nodes, i, node) json_array_append(hosts, json_object_get(node, "host"));
    set_hosts(o, "hosts", hosts);
    json_t *switches = switches_of(nodes), *unused = unused_of(nodes, getenv("SLURM_JOB_NODELIST"));
    if (json_array_size(switches)) record_set(o, "switches", json_incref(switches));
    set_hosts(o, "unused", unused);
    if (got && asked > got) record_set_integer(o, "asked", asked);
    json_decref(switches);
    json_decref(unused);
    json_decref(hosts);
    return o;
}

int inventory_place(struct comm *world, json_t **place, struct base_error *e) {
    char full[HOST_NAME_MAX + 1] = "", host[HOST_NAME_MAX + 1], switches[NAME_MOST];
    json_t *nodes;
    *place = NULL;
    gethostname(full, sizeof full - 1);
    short_name(full, host);
    switches_here(host, switches, sizeof switches);
    json_t *mine = json_pack("{s:s, s:s}", "host", host, "switches", switches);
    const int code = inventory_gather(world, mine, &nodes, e);
    json_decref(mine);
    if (!code && nodes) *place = place_of(nodes);
    if (!code) json_decref(nodes);
    return code;
}
