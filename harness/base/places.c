/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks the user's placement of OpenMP threads. GOMP_CPU_AFFINITY has the form of libgomp's manual: CPUs or ranges
 * with strides, separated by blanks or commas ("0 3 1-7:2"). */
#include "base/places.h"

#include <ctype.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/threads.h"

static const char *value_of(const char *name) {
    const char *value = getenv(name);
    return value && value[0] ? value : NULL;
}

bool base_places_given(void) {
    return getenv("OMP_PROC_BIND") != NULL || getenv("OMP_PLACES") != NULL || getenv("GOMP_CPU_AFFINITY") != NULL;
}

/* OMP_PROC_BIND=false makes OpenMP ignore places. */
static bool unbound(void) {
    const char *bind = value_of("OMP_PROC_BIND");
    return bind && !strncasecmp(bind, "false", 5);
}

static bool number(const char **at, long *n) {
    char *end;
    if (!isdigit((unsigned char)**at)) return false;
    *n = strtol(*at, &end, 10);
    *at = end;
    return true;
}

/* Parses "N", "N-M" or "N-M:STRIDE" and moves *at past it. */
static bool range(const char **at, long *low, long *high, long *stride) {
    *stride = 1;
    if (!number(at, low)) return false;
    *high = *low;
    if (**at == '-') {
        ++*at;
        if (!number(at, high) || *high < *low) return false;
        if (**at == ':') {
            ++*at;
            if (!number(at, stride) || *stride < 1) return false;
        }
    }
    return !**at || **at == ',' || isspace((unsigned char)**at);
}

static bool has(const struct base_cpus *cpus, long cpu) {
    for (int i = 0; i < cpus->count; i++)
        if (cpus->cpu[i] == cpu) return true;
    return false;
}

static int check_affinity(const char *text, struct base_error *e) {
    struct base_cpus usable;
    char those[64];
    long low, high, stride;
    base_cpus_usable(&usable);
    base_cpus_text(&usable, those, sizeof those);
    for (const char *at = text;;) {
        while (*at == ',' || isspace((unsigned char)*at)) at++;
        if (!*at) return BASE_OK;
        if (!range(&at, &low, &high, &stride))
            return base_fail(e, BASE_USAGE,
                             "GOMP_CPU_AFFINITY=%.64s: not a list of CPUs such as \"0 2 4-7\"; fix it or unset it",
                             text);
        for (long cpu = low; cpu <= high; cpu += stride)
            if (!has(&usable, cpu))
                return base_fail(e, BASE_USAGE,
                                 "GOMP_CPU_AFFINITY=%.64s: this process may not use CPU %ld, only %s: use CPUs "
                                 "among these, or unset it",
                                 text, cpu, those);
    }
}

int base_places_check(char *warning, int size, struct base_error *e) {
    const char *affinity = value_of("GOMP_CPU_AFFINITY"), *places = value_of("OMP_PLACES");
    const char *bind = value_of("OMP_PROC_BIND");
    if (unbound()) return BASE_OK;
    if ((places || bind) && omp_get_num_places() == 0)
        snprintf(warning, (size_t)size, "OpenMP ignores %s=%.64s, so threads are not bound: fix it or unset it",
                 places ? "OMP_PLACES" : "OMP_PROC_BIND", places ? places : bind);
    return affinity && !places ? check_affinity(affinity, e) : BASE_OK; /* OMP_PLACES takes precedence */
}
