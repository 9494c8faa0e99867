/* SPDX-License-Identifier: Apache-2.0
 *
 * What the user told OpenMP about where its threads run: OMP_PROC_BIND, OMP_PLACES, GOMP_CPU_AFFINITY. */
#ifndef TOISE_BASE_PLACES_H
#define TOISE_BASE_PLACES_H

#include <stdbool.h>

#include "base/error.h"

/* Whether any of them is set: then threads are placed by OpenMP and by nobody else. */
bool base_places_given(void);

/* BASE_USAGE where GOMP_CPU_AFFINITY cannot be read or names a CPU that this process may not use: libgomp would end the
 * process with exit code 1 as it starts its threads. `warning` (holding `size`) is filled where OpenMP took nothing
 * from OMP_PLACES or OMP_PROC_BIND, of which libgomp only warns; else left alone (NULL, 0: nobody wants it). Before the
 * first parallel region. */
int base_places_check(char *warning, int size, struct base_error *e);

#endif
