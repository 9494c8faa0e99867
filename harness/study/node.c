/* SPDX-License-Identifier: Apache-2.0
 *
 * Hosts in the order of ranks, each once. */
#include "study/node.h"

#include <stdio.h>
#include <string.h>

#include "records/get.h"

const char *study_node_of(const json_t *record, char *text, size_t size) {
    const json_t *rank;
    const char *last = "";
    size_t i, hosts = 0, used = (size_t)snprintf(text, size, "%.200s:", record_text(record, "machine.cpu"));
    json_array_foreach(record_at(record, "result.per_rank"), i, rank) {
        const char *host = record_text(rank, "host");
        if (!strcmp(host, last) || used + strlen(host) + 2 > size) continue;
        used += (size_t)snprintf(text + used, size - used, " %s", host);
        last = host, hosts++;
    }
    if (!hosts) snprintf(text + used, size - used, " %s", record_text(record, "machine.host"));
    return hosts || *record_text(record, "machine.host") ? text : "";
}
