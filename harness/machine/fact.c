/* SPDX-License-Identifier: Apache-2.0
 *
 * Arithmetic of facts: a result has the weakest status of its inputs. */
#include "machine/fact.h"

#include <math.h>
#include <stddef.h>

#include "base/text.h"

static const char *const names[MACHINE_STATUSES] = {
    [MACHINE_UNKNOWN] = "unknown", [MACHINE_MEASURED] = "measured",   [MACHINE_PUBLISHED] = "published",
    [MACHINE_DERIVED] = "derived", [MACHINE_ANNOUNCED] = "announced", [MACHINE_RECALLED] = "recalled",
    [MACHINE_ASSUMED] = "assumed"};

struct machine_fact machine_fact_unknown(void) {
    return (struct machine_fact){.value = NAN, .low = NAN, .high = NAN};
}

struct machine_fact machine_fact_make(double low, double high, enum machine_status status, const char *how) {
    const double middle = high > 2 * low ? sqrt(low) * sqrt(high) : low + (high - low) / 2;
    return (struct machine_fact){
        .value = low == high ? low : middle, .low = low, .high = high, .status = status, .how = how};
}

bool machine_fact_known(const struct machine_fact *fact) {
    return fact->status != MACHINE_UNKNOWN;
}

/* The value comes from the values, not from the range's ends: a figure times a range keeps the range's middle. */
static struct machine_fact combined(const struct machine_fact *a, const struct machine_fact *b, const char *how,
                                    double value, double low, double high) {
    if (!machine_fact_known(a) || !machine_fact_known(b)) return machine_fact_unknown();
    return (struct machine_fact){
        .value = value,
        .low = low,
        .high = high,
        .status = machine_status_weaker(MACHINE_DERIVED, machine_status_weaker(a->status, b->status)),
        .how = how};
}

struct machine_fact machine_fact_product(const struct machine_fact *a, const struct machine_fact *b, const char *how) {
    return combined(a, b, how, a->value * b->value, a->low * b->low, a->high * b->high);
}

struct machine_fact machine_fact_quotient(const struct machine_fact *a, const struct machine_fact *b, const char *how) {
    return combined(a, b, how, a->value / b->value, a->low / b->high, a->high / b->low);
}

void machine_fact_round(struct machine_fact *fact) {
    fact->value = round(fact->value);
    fact->low = round(fact->low);
    fact->high = round(fact->high);
}

enum machine_status machine_status_weaker(enum machine_status a, enum machine_status b) {
    return a > b ? a : b;
}

const char *machine_status_name(enum machine_status status) {
    return names[status];
}

bool machine_status_find(const char *name, enum machine_status *status) {
    const int i = base_text_find(name, names, MACHINE_STATUSES);
    if (i < MACHINE_MEASURED) return false; /* files leave out unknown facts; "unknown" is for results */
    *status = (enum machine_status)i;
    return true;
}
