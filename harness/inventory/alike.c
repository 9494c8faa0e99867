/* SPDX-License-Identifier: Apache-2.0
 *
 * Compares hashes first. Texts and hosts are gathered only if those differ. */
#define _GNU_SOURCE
#include "inventory/alike.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "inventory/hosts.h"
#include "records/hash.h"

enum { LINE = 160 };

struct said {
    char host[64], text[LINE];
};

/* The first 13 digits of its hash: as many bits as a double holds. */
static double digest(const char *text) {
    char hash[RECORD_HASH_TEXT];
    record_hash_of(text, strlen(text), hash);
    hash[13] = '\0';
    return (double)strtoull(hash, NULL, 16);
}

/* Takes the text that most hosts have out of *hosts, {text: [host of each rank]}, and adds it to `say`. */
static void say_next(json_t *hosts, char *say, size_t size) {
    const char *text, *most = NULL;
    json_t *list;
    json_object_foreach(hosts, text, list) if (!most || json_array_size(list) >
                                                            json_array_size(json_object_get(hosts, most))) most = text;
    char *names = inventory_hosts(json_object_get(hosts, most)), *words = NULL;
    if (names && asprintf(&words, "%s on %.120s", most[0] ? most : "nothing", names) >= 0)
        base_text_append(say, size, words);
    free(words);
    free(names);
    json_object_del(hosts, most);
}

static void say_all(const struct said *all, int ranks, char *say, size_t size) {
    json_t *hosts = json_object();
    for (int i = 0; i < ranks; i++) {
        json_t *list = json_object_get(hosts, all[i].text);
        if (!list) json_object_set_new(hosts, all[i].text, list = json_array());
        json_array_append_new(list, json_string(all[i].host));
    }
    while (json_object_size(hosts)) say_next(hosts, say, size);
    json_decref(hosts);
}

static void gather(struct comm *world, const char *mine, char *say, size_t size) {
    struct said own = {0}, *all = calloc((size_t)world->size, sizeof own);
    snprintf(own.text, sizeof own.text, "%s", mine);
    gethostname(own.host, sizeof own.host - 1);
    if (comm_agree(world, all ? BASE_OK : BASE_BROKEN, NULL) == BASE_OK) {
        world->ops->all_gather(world, &own, sizeof own, all);
        say_all(all, world->size, say, size);
    }
    free(all);
}

static bool same(struct comm *world, const char *mine) {
    double range[2] = {digest(mine), -digest(mine)};
    world->ops->max(world, range, 2);
    return range[0] == -range[1];
}

bool inventory_alike(struct comm *world, const char *mine, char *say, size_t size) {
    say[0] = '\0';
    if (same(world, mine)) return true;
    gather(world, mine, say, size);
    return false;
}

/* The line of this number without blanks and its comma; "": there is none. Numbers start at 0. */
static void line_of(const char *text, int number, char line[LINE]) {
    for (; number && *text; number--) {
        text += strcspn(text, "\n");
        text += *text == '\n';
    }
    text += strspn(text, " ");
    size_t length = strcspn(text, "\n");
    if (length && text[length - 1] == ',') length--;
    snprintf(line, LINE, "%.*s", (int)length, text);
}

static double lines_of(const char *text) {
    double lines = 1;
    for (; *text; text++) lines += *text == '\n';
    return lines;
}

bool inventory_alike_json(struct comm *world, const json_t *mine, char *say, size_t size) {
    char *own = json_dumps(mine, JSON_SORT_KEYS | JSON_INDENT(1) | JSON_REAL_PRECISION(12)), line[LINE];
    const char *text = own ? own : "";
    double most = lines_of(text);
    const bool alike = same(world, text);
    say[0] = '\0';
    if (!alike) world->ops->max(world, &most, 1);
    for (int i = 0; !alike && i < most; i++) {
        line_of(text, i, line);
        if (!inventory_alike(world, line, say, size)) break;
    }
    if (!alike && !say[0]) snprintf(say, size, "a long value");
    free(own);
    return alike;
}
