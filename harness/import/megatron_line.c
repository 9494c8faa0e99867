/* SPDX-License-Identifier: Apache-2.0
 *
 * A line of figures. training_log() in Megatron-LM's megatron/training/training.py writes " [date] iteration N/ M |"
 * and then "name: value |" for each; versions before 2021 have no date and no colon ("lm loss 6.9E+00 |"). Its fork for
 * DeepSpeed, which trained BLOOM, gives seconds and "TFLOPs". Every unit is part of the name. */
#include <ctype.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "import/megatron.h"

/* clang-format off */
static const struct field {
    const char *name;
    size_t at;
    bool whole; /* a long; else a double */
    double unit;
} fields[] = {
    {"elapsed time per iteration (ms)", offsetof(struct megatron_line, step_s), false, 1e-3},
    {"elapsed time per iteration (s)", offsetof(struct megatron_line, step_s), false, 1},
    {"throughput per GPU (TFLOP/s/GPU)", offsetof(struct megatron_line, tflop_per_s), false, 1},
    {"TFLOPs", offsetof(struct megatron_line, tflop_per_s), false, 1},
    {"energy per GPU (J/iter/GPU)", offsetof(struct megatron_line, joules), false, 1},
    {"lm loss", offsetof(struct megatron_line, loss), false, 1},
    {"grad norm", offsetof(struct megatron_line, grad_norm), false, 1},
    {"global batch size", offsetof(struct megatron_line, global_batch), true, 1},
    {"number of skipped iterations", offsetof(struct megatron_line, skipped), true, 1},
    {"number of nan iterations", offsetof(struct megatron_line, nan), true, 1},
};
/* clang-format on */
enum { FIELDS = sizeof fields / sizeof *fields };
static const char ELAPSED[] = "elapsed time per iteration";

/* "10/ 100 |": sets both numbers. NULL: something else. */
static const char *read_count(const char *at, long *n, long *of) {
    char *end;
    at += strspn(at, " ");
    if (!isdigit((unsigned char)*at)) return NULL;
    *n = strtol(at, &end, 10);
    at = end + strspn(end, " ");
    if (*at != '/') return NULL;
    at += 1 + strspn(at + 1, " ");
    if (!isdigit((unsigned char)*at)) return NULL;
    *of = strtol(at, &end, 10);
    at = end + strspn(end, " ");
    return *at == '|' ? at + 1 : NULL;
}

const char *import_megatron_find(const char *text) {
    static const char word[] = "iteration ";
    long n, of;
    for (const char *at = text; (at = strstr(at, word)); at++) {
        if (at > text && !isspace((unsigned char)at[-1])) continue;
        if (read_count(at + sizeof word - 1, &n, &of)) return at;
    }
    return NULL;
}

bool import_megatron_marks(const char *text) {
    const char *at = import_megatron_find(text);
    return at && strstr(at, ELAPSED);
}

/* The value behind the name, with or without a colon; NULL: another name. */
static const char *value_of(const char *part, const char *name) {
    const size_t n = strlen(name);
    if (strncmp(part, name, n) != 0) return NULL;
    part += n;
    if (*part == ':') part++;
    return *part == ' ' ? part + strspn(part, " ") : NULL;
}

/* False: a known figure is not a number, or has another unit. */
static bool take(const char *part, struct megatron_line *out, char why[160]) {
    for (int i = 0; i < FIELDS; i++) {
        const char *value = value_of(part, fields[i].name);
        double x;
        if (!value) continue;
        if (!import_number(value, &x)) {
            snprintf(why, 160, "\"%s\": \"%.40s\" is not a number%s", fields[i].name, value,
                     strchr(value, ',') ? ", or has a decimal comma" : "");
            return false;
        }
        void *at = (char *)out + fields[i].at;
        if (fields[i].whole)
            *(long *)at = x >= 0 && x < 1e15 ? (long)x : -1;
        else
            *(double *)at = x * fields[i].unit;
        return true;
    }
    if (strncmp(part, ELAPSED, sizeof ELAPSED - 1) != 0) return true;
    snprintf(why, 160, "\"%.60s\": the unit must be (ms) or (s)", part);
    return false;
}

bool import_megatron_line(char *text, struct megatron_line *out, char why[160]) {
    *out = (struct megatron_line){.step_s = NAN,
                                  .tflop_per_s = NAN,
                                  .joules = NAN,
                                  .loss = NAN,
                                  .grad_norm = NAN,
                                  .global_batch = -1,
                                  .skipped = -1,
                                  .nan = -1};
    char *at = (char *)read_count(text + strlen("iteration "), &out->iteration, &out->of), *end;
    for (; (end = strchr(at, '|')); at = end + 1) { /* what no | ends may be torn */
        *end = 0;
        if (!take(import_trim(at), out, why)) return false;
    }
    if (out->step_s > 0 && isfinite(out->step_s)) return true;
    snprintf(why, 160, "it has no \"%s (ms): X |\" above 0", ELAPSED);
    return false;
}
