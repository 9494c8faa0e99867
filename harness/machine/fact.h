/* SPDX-License-Identifier: Apache-2.0
 *
 * One figure about a machine, with how we know it: harness/catalog/README.md, "A fact". Results take the weakest status
 * and carry the range of what they used. */
#ifndef TOISE_MACHINE_FACT_H
#define TOISE_MACHINE_FACT_H

#include <stdbool.h>

/* From the best known to the least. */
enum machine_status {
    MACHINE_UNKNOWN, /* nobody says: value, low and high are NAN */
    MACHINE_MEASURED,
    MACHINE_PUBLISHED,
    MACHINE_DERIVED,
    MACHINE_ANNOUNCED,
    MACHINE_RECALLED,
    MACHINE_ASSUMED,
    MACHINE_STATUSES
};

/* A plain figure has low = high = value. A range has its middle as value: the geometric mean where it spans more than a
 * factor of 2, as guesses of a size do, else the arithmetic one; counts are rounded. The texts are the machine's. */
struct machine_fact {
    double value, low, high;
    enum machine_status status;
    const char *source; /* where it was read, several joined by "; "; NULL: none */
    const char *how;    /* the arithmetic, or the reason; NULL: none */
    const char *note;   /* what to mind; NULL: nothing */
};

/* Unknown, with NAN for figures. */
struct machine_fact machine_fact_unknown(void);
struct machine_fact machine_fact_make(double low, double high, enum machine_status status, const char *how);
bool machine_fact_known(const struct machine_fact *fact);
/* Range and weakest status of the product and quotient; unknown where one of them is. They have no texts but `how`. */
struct machine_fact machine_fact_product(const struct machine_fact *a, const struct machine_fact *b, const char *how);
struct machine_fact machine_fact_quotient(const struct machine_fact *a, const struct machine_fact *b, const char *how);
/* Rounds the three figures to whole numbers. */
void machine_fact_round(struct machine_fact *fact);

/* The weaker of two; unknown is weaker than none, since what was not used says nothing. */
enum machine_status machine_status_weaker(enum machine_status a, enum machine_status b);
const char *machine_status_name(enum machine_status status);
bool machine_status_find(const char *name, enum machine_status *status);

#endif
