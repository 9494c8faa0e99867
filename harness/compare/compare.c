/* SPDX-License-Identifier: Apache-2.0
 *
 * The steps of a comparison: load, match, judge, write. */
#include "compare/compare.h"

#include <stdlib.h>

#include "compare/parts.h"

static void close_all(struct compare *c) {
    for (size_t i = 0; i < c->count; i++)
        for (int k = 0; k < COMPARE_KEYS; k++) free(c->items[i].key[k]);
    for (size_t i = 0; i < c->pair_count; i++) json_decref(c->pairs[i].causes);
    for (int i = 0; i < c->sides; i++) json_decref(c->found[i]);
    free(c->items), free(c->values), free(c->records), free(c->groups), free(c->pairs);
    json_decref(c->unpaired);
    record_list_close(&c->list);
}

int compare_make(const char *const *paths, int count, const struct compare_options *options, json_t **record,
                 enum study_verdict *verdict, struct base_error *e) {
    struct compare c = {.options = options, .paths = paths, .sides = count, .unpaired = json_array()};
    int code = compare_load(&c, e);
    if (!code) code = compare_match(&c, e);
    if (!code) code = compare_judge(&c, e);
    if (!code) *record = compare_record(&c), *verdict = compare_verdict(&c);
    close_all(&c);
    return code;
}
