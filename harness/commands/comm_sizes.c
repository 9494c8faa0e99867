/* SPDX-License-Identifier: Apache-2.0
 *
 * What `toise comm` is to measure: operations, groups, and sizes as people write them. */
#include "commands/comm_sizes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/catalog.h"
#include "config/params.h"

enum { LEAST = 16 << 10, TEXT = 1024, FLOAT = sizeof(float) };
static const double MOST = 1ll << 40;

/* "65536", "64K" or "64KiB", "1M" or "1MiB", "2G" or "2GiB": powers of 1024, as in nccl-tests. */
static int read_size(const char *flag, const char *word, int64_t *bytes, struct base_error *e) {
    static const char *const units[] = {"", "K", "M", "G", "KiB", "MiB", "GiB"};
    char *end;
    double value = strtod(word, &end);
    const int unit = base_text_find(end, units, 7);
    value = ldexp(value, 10 * (unit > 3 ? unit - 3 : unit));
    if (end == word || unit < 0 || !(value >= FLOAT && value <= MOST) || value != floor(value))
        return base_fail(e, BASE_USAGE,
                         "%s: \"%.32s\" is not a size; give at least 4 bytes, as in 4096, 64K, 64KiB or 1MiB", flag,
                         word);
    *bytes = (int64_t)value;
    if (*bytes % FLOAT == 0) return BASE_OK;
    return base_fail(e, BASE_USAGE, "%s: %.32s is not a multiple of 4, the size of a float; give one", flag, word);
}

static int read_list(const char *list, struct collectives_options *o, struct base_error *e) {
    char text[TEXT];
    const char *words[COLLECTIVES_SIZES];
    const int count = base_text_words(list, text, sizeof text, words, COLLECTIVES_SIZES);
    int code = BASE_OK;
    if (count < 0) return base_fail(e, BASE_USAGE, "--bytes: more than %d sizes; give fewer", COLLECTIVES_SIZES);
    for (int i = 0; i < count && !code; i++) code = read_size("--bytes", words[i], &o->bytes[o->sizes++], e);
    if (!code && !o->sizes) code = base_fail(e, BASE_USAGE, "--bytes: the list is empty; give a size, as in 1MiB");
    return code;
}

/* From --begin by factors, or by steps, while not above --end. */
static int read_sweep(const struct comm_flags *f, struct collectives_options *o, struct base_error *e) {
    int64_t begin = 8, end = 64 << 20, step = 0;
    const int64_t factor = f->factor ? f->factor : 2;
    int code = f->begin ? read_size("--begin", f->begin, &begin, e) : BASE_OK;
    if (!code && f->end) code = read_size("--end", f->end, &end, e);
    if (!code && f->step) code = read_size("--step", f->step, &step, e);
    if (code) return code;
    if (end < begin)
        return base_fail(e, BASE_USAGE, "--end: %lld bytes are less than the %lld of --begin; swap them",
                         (long long)end, (long long)begin);
    for (int64_t bytes = begin; bytes <= end; bytes = step ? bytes + step : bytes * factor) {
        if (o->sizes == COLLECTIVES_SIZES)
            return base_fail(e, BASE_USAGE, "%s: more than %d sizes from --begin to --end; take larger steps",
                             step ? "--step" : "--factor", COLLECTIVES_SIZES);
        o->bytes[o->sizes++] = bytes;
    }
    return BASE_OK;
}

static int read_model(const char *model, struct collectives_options *o, struct base_error *e) {
    struct model_config config;
    struct model_params params;
    int code = cli_catalog_model(model, &config, e);
    if (code) return code;
    model_params_size(&params, &config);
    const int64_t gradient = FLOAT * params.total;
    for (int64_t bytes = LEAST; bytes < gradient && o->sizes < COLLECTIVES_SIZES - 1; bytes *= 4)
        o->bytes[o->sizes++] = bytes;
    o->bytes[o->sizes++] = gradient;
    return BASE_OK;
}

/* A list of names, or "all", as bits of 1 << index. */
static int read_names(const char *flag, const char *list, const char *(*name)(int), bool all, unsigned *bits,
                      struct base_error *e) {
    const char *names[16], *words[32];
    char text[TEXT], known[256] = "";
    int count = 0;
    for (; name(count); count++) base_text_append(known, sizeof known, names[count] = name(count));
    const int n = base_text_words(list, text, sizeof text, words, 32);
    for (int i = 0; i < n; i++) {
        const int at = base_text_find(words[i], names, count);
        if (at < 0 && !(all && !strcmp(words[i], "all")))
            return base_fail(e, BASE_USAGE, "%s: unknown \"%.64s\"; known: %s%s", flag, words[i], all ? "all, " : "",
                             known);
        *bits |= at < 0 ? (1u << count) - 1 : 1u << at;
    }
    return *bits ? BASE_OK : base_fail(e, BASE_USAGE, "%s: the list is empty or too long; known: %s", flag, known);
}

int comm_sizes_resolve(const struct comm_flags *f, struct collectives_options *o, struct base_error *e) {
    *o = (struct collectives_options){.seconds = f->seconds, .width = f->ci};
    int code = read_names("--op", f->ops, collectives_op_name, true, &o->ops, e);
    if (!code && f->groups) code = read_names("--group", f->groups, collectives_group_name, false, &o->groups, e);
    if (code) return code;
    if (f->bytes) return read_list(f->bytes, o, e);
    if (f->begin || f->end || f->step || f->factor) return read_sweep(f, o, e);
    return read_model(f->model, o, e);
}
