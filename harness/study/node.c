/* SPDX-License-Identifier: Apache-2.0
 *
 * Hosts by name, each once: neither ranks nor their order name a node. */
#include "study/node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "records/get.h"

json_t *study_hosts_of(const json_t *record) {
    const json_t *rank, *ranks = record_at(record, "result.per_rank");
    const char *own = record_text(record, "machine.host");
    json_t *hosts = json_object();
    size_t i;
    json_array_foreach(ranks, i, rank) {
        const char *host = record_text(rank, "host");
        if (*host) json_object_set_new(hosts, host, json_true());
    }
    if (!json_object_size(hosts) && *own) json_object_set_new(hosts, own, json_true());
    return hosts;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

char *study_node_of(const json_t *record) {
    json_t *hosts = study_hosts_of(record), *unused;
    const size_t count = json_object_size(hosts);
    const char **names = malloc((count + 1) * sizeof *names), *host;
    char *text = NULL;
    size_t size, n = 0;
    FILE *out = names ? open_memstream(&text, &size) : NULL;
    if (out) {
        json_object_foreach(hosts, host, unused) names[n++] = host;
        qsort(names, n, sizeof *names, by_name);
        if (n) fprintf(out, "%s:", record_text(record, "machine.cpu"));
        for (size_t i = 0; i < n; i++) fprintf(out, " %s", names[i]);
        fclose(out);
    }
    free(names);
    json_decref(hosts);
    return text;
}
