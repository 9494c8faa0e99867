/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks where the user told OpenMP to run threads: OMP_PROC_BIND, OMP_PLACES, GOMP_CPU_AFFINITY. */
#ifndef TOISE_BASE_PLACES_H
#define TOISE_BASE_PLACES_H

#include <stdbool.h>

#include "base/error.h"

/* Whether any of them is set. Then OpenMP alone places the threads. */
bool base_places_given(void);

/* BASE_USAGE: GOMP_CPU_AFFINITY cannot be parsed, or names a CPU that this process may not use. libgomp would otherwise
 * end the process with exit code 1 when it starts its threads. `warning` has `size` bytes. It is filled if OpenMP
 * ignores OMP_PLACES or OMP_PROC_BIND; libgomp only warns about that. Otherwise it is unchanged. NULL, 0: no warning
 * wanted. Call before the first parallel region. */
int base_places_check(char *warning, int size, struct base_error *e);

#endif
