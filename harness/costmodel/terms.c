/* SPDX-License-Identifier: Apache-2.0
 *
 * Names and parts of the terms, as a table. */
#include "costmodel/terms.h"

static const struct {
    const char *name;
    enum cost_term_part part;
} terms[COST_TERMS] = {
#define T(name, part) {#name, COST_PART_##part},
    COST_TERM_LIST(T)
#undef T
};

const char *cost_term_name(enum cost_term t) {
    return terms[t].name;
}

enum cost_term_part cost_term_part(enum cost_term t) {
    return terms[t].part;
}
