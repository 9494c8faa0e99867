/* SPDX-License-Identifier: Apache-2.0
 *
 * One figure about a machine, with its status and source: harness/catalog/README.md, "A fact". A result has the weakest
 * status of its inputs, and the range that follows from theirs. */
#ifndef TOISE_MACHINE_FACT_H
#define TOISE_MACHINE_FACT_H

#include <stdbool.h>

/* MACHINE_UNKNOWN, then from the strongest status to the weakest. */
enum machine_status {
    MACHINE_UNKNOWN, /* value, low and high are NAN */
    MACHINE_MEASURED,
    MACHINE_PUBLISHED,
    MACHINE_DERIVED,
    MACHINE_ANNOUNCED,
    MACHINE_RECALLED,
    MACHINE_ASSUMED,
    MACHINE_STATUSES
};

/* A plain figure has low = high = value. A range has its middle as value: the geometric mean if it spans more than a
 * factor of 2, as guesses of a size do, else the arithmetic mean. Counts are rounded. The machine owns the texts. */
struct machine_fact {
    double value, low, high;
    enum machine_status status;
    const char *source; /* several are joined by "; "; NULL: none */
    const char *how;    /* the arithmetic, or the reason; NULL: none */
    const char *note;   /* a caveat; NULL: none */
};

/* Unknown; its figures are NAN. */
struct machine_fact machine_fact_unknown(void);
struct machine_fact machine_fact_make(double low, double high, enum machine_status status, const char *how);
bool machine_fact_known(const struct machine_fact *fact);
/* Product and quotient, with their range and the weakest status. Unknown if a or b is. Their only text is `how`. */
struct machine_fact machine_fact_product(const struct machine_fact *a, const struct machine_fact *b, const char *how);
struct machine_fact machine_fact_quotient(const struct machine_fact *a, const struct machine_fact *b, const char *how);
/* Rounds the three figures to whole numbers. */
void machine_fact_round(struct machine_fact *fact);

/* The weaker of two. MACHINE_UNKNOWN never counts as the weaker: it stands for a fact that was not used. */
enum machine_status machine_status_weaker(enum machine_status a, enum machine_status b);
const char *machine_status_name(enum machine_status status);
bool machine_status_find(const char *name, enum machine_status *status);

#endif
