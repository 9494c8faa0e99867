/* SPDX-License-Identifier: Apache-2.0
 *
 * One figure about a machine, with how we know it: harness/catalog/README.md, "A fact". Results take the weakest status
 * and carry the range of what they used. */
#ifndef TOISE_PROJECT_FACT_H
#define TOISE_PROJECT_FACT_H

#include <stdbool.h>

/* From the best known to the least. */
enum project_status {
    PROJECT_UNKNOWN, /* nobody says: value, low and high are NAN */
    PROJECT_MEASURED,
    PROJECT_PUBLISHED,
    PROJECT_DERIVED,
    PROJECT_ANNOUNCED,
    PROJECT_RECALLED,
    PROJECT_ASSUMED,
    PROJECT_STATUSES
};

/* A plain figure has low = high = value. A range has its middle as value: the geometric mean where it spans more than a
 * factor of 2, as guesses of a size do, else the arithmetic one; counts are rounded. The texts are the machine's. */
struct project_fact {
    double value, low, high;
    enum project_status status;
    const char *source; /* where it was read, several joined by "; "; NULL: none */
    const char *how;    /* the arithmetic, or the reason; NULL: none */
    const char *note;   /* what to mind; NULL: nothing */
};

/* Unknown, with NAN for figures. */
struct project_fact project_fact_unknown(void);
struct project_fact project_fact_make(double low, double high, enum project_status status, const char *how);
bool project_fact_known(const struct project_fact *fact);
/* Range and weakest status of the product and quotient; unknown where one of them is. They have no texts but `how`. */
struct project_fact project_fact_product(const struct project_fact *a, const struct project_fact *b, const char *how);
struct project_fact project_fact_quotient(const struct project_fact *a, const struct project_fact *b, const char *how);
/* Rounds the three figures to whole numbers. */
void project_fact_round(struct project_fact *fact);

/* The weaker of two; unknown is weaker than none, since what was not used says nothing. */
enum project_status project_status_weaker(enum project_status a, enum project_status b);
const char *project_status_name(enum project_status status);
bool project_status_find(const char *name, enum project_status *status);

#endif
