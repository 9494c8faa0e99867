/* SPDX-License-Identifier: Apache-2.0
 *
 * See fact.h. */
#include "project/fact.h"

#include <math.h>
#include <stddef.h>

#include "base/text.h"

static const char *const names[PROJECT_STATUSES] = {
    [PROJECT_UNKNOWN] = "unknown", [PROJECT_MEASURED] = "measured",   [PROJECT_PUBLISHED] = "published",
    [PROJECT_DERIVED] = "derived", [PROJECT_ANNOUNCED] = "announced", [PROJECT_RECALLED] = "recalled",
    [PROJECT_ASSUMED] = "assumed"};

struct project_fact project_fact_unknown(void) {
    return (struct project_fact){.value = NAN, .low = NAN, .high = NAN};
}

struct project_fact project_fact_make(double low, double high, enum project_status status, const char *how) {
    const double middle = high > 2 * low ? sqrt(low) * sqrt(high) : low + (high - low) / 2;
    return (struct project_fact){
        .value = low == high ? low : middle, .low = low, .high = high, .status = status, .how = how};
}

bool project_fact_known(const struct project_fact *fact) {
    return fact->status != PROJECT_UNKNOWN;
}

/* Of the values, not of the range's ends, so that a plain figure times a range keeps the range's middle. */
static struct project_fact combined(const struct project_fact *a, const struct project_fact *b, const char *how,
                                    double value, double low, double high) {
    if (!project_fact_known(a) || !project_fact_known(b)) return project_fact_unknown();
    return (struct project_fact){
        .value = value,
        .low = low,
        .high = high,
        .status = project_status_weaker(PROJECT_DERIVED, project_status_weaker(a->status, b->status)),
        .how = how};
}

struct project_fact project_fact_product(const struct project_fact *a, const struct project_fact *b, const char *how) {
    return combined(a, b, how, a->value * b->value, a->low * b->low, a->high * b->high);
}

struct project_fact project_fact_quotient(const struct project_fact *a, const struct project_fact *b, const char *how) {
    return combined(a, b, how, a->value / b->value, a->low / b->high, a->high / b->low);
}

void project_fact_round(struct project_fact *fact) {
    fact->value = round(fact->value);
    fact->low = round(fact->low);
    fact->high = round(fact->high);
}

enum project_status project_status_weaker(enum project_status a, enum project_status b) {
    return a > b ? a : b;
}

const char *project_status_name(enum project_status status) {
    return names[status];
}

bool project_status_find(const char *name, enum project_status *status) {
    const int i = base_text_find(name, names, PROJECT_STATUSES);
    if (i < PROJECT_MEASURED) return false; /* "unknown" is for results: a file leaves out what it does not know */
    *status = (enum project_status)i;
    return true;
}
