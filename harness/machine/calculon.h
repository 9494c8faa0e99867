/* SPDX-License-Identifier: Apache-2.0
 *
 * Helpers that read figures of Calculon's systems, for calculon.c. `part` is the path of the object, as "mem1".
 * BASE_USAGE names part and key, and the cure in the key's unit. */
#ifndef TOISE_MACHINE_CALCULON_H
#define TOISE_MACHINE_CALCULON_H

#include "machine/read.h"

enum { MACHINE_CALCULON_REMARKS = 1024 };
struct calculon {
    struct machine *m;
    const char *path, *source;
    double tier_size, tier_rate;            /* of the previous network: processors, bytes/s */
    char remarks[MACHINE_CALCULON_REMARKS]; /* what was assumed or left out */
};

/* Adds to in->remarks. */
void machine_calculon_remark(struct calculon *in, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Adds a remark on each unknown key, as it may be misspelt. */
void machine_calculon_leave_out(struct calculon *in, const json_t *object, const char *part, const char *const *known,
                                size_t count);
/* The number at part.key, above 0, in its SI unit. A placeholder for no limit becomes INFINITY (memory) or 1e15 bytes/s
 * (a rate), with a remark. */
int machine_calculon_number(struct calculon *in, const json_t *object, const char *part, const char *key, double *x,
                            struct base_error *e);
/* Sets a fact to x, the value of part.key. BASE_USAGE: x is outside the fact's limits and not a placeholder. */
int machine_calculon_put(const struct calculon *in, const char *fact, const char *part, const char *key, double x,
                         struct base_error *e);
int machine_calculon_convert(struct calculon *in, const char *fact, const json_t *object, const char *part,
                             const char *key, struct base_error *e);
/* Reads [[size, share], ...] at `field`, from the largest size down to 0. `unit`: FLOP or bytes per size. */
int machine_calculon_shares(const struct calculon *in, const json_t *table, const char *field, double unit,
                            struct machine_shares *out, struct base_error *e);

#endif
