/* SPDX-License-Identifier: Apache-2.0
 *
 * The implementation of data.h: one source, built-in or a file. It is a file if there is a path. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "data/data.h"
#include "data/file.h"
#include "data/text.h"
#include "data/zipf.h"

struct data_source {
    int64_t seq;
    uint64_t seed;
    struct data_zipf zipf; /* cdf is NULL when tokens come from a file */
    struct data_file file;
    char description[160];
};

static int options_check(const struct data_options *o, struct base_error *e) {
    if (o->vocab < 1 || o->vocab > INT32_MAX)
        return base_fail(e, BASE_USAGE, "vocabulary of %lld tokens; give 1 to %d", (long long)o->vocab, INT32_MAX);
    if (o->seq < 1 || o->seq > INT32_MAX)
        return base_fail(e, BASE_USAGE, "sequence length %lld; give 1 to %d", (long long)o->seq, INT32_MAX);
    if (o->shares < 1 || o->share < 0 || o->share >= o->shares)
        return base_fail(e, BASE_USAGE, "share %d of %d of the data file's check; give 0 to shares - 1", o->share,
                         o->shares);
    return BASE_OK;
}

static int source_fill(struct data_source *s, const struct data_options *o, struct base_error *e) {
    s->seq = o->seq;
    s->seed = o->seed;
    if (!o->path) {
        snprintf(s->description, sizeof s->description, "built-in copy/Zipf source");
        return data_zipf_open(&s->zipf, o->vocab, o->seq, e);
    }
    int code = data_file_open(&s->file, o, e);
    if (code) return code;
    char count[32], path[96];
    base_text_count(s->file.count, count, sizeof count);
    base_text_path(o->path, path, sizeof path);
    const struct data_map name = {path, strlen(path)};
    for (char *c = path; !data_text_looks(&name) && *c; c++)
        if ((unsigned char)*c > 126) *c = '?'; /* records are UTF-8 */
    snprintf(s->description, sizeof s->description, "%s (%s, %s)", path, s->file.title, count);
    return BASE_OK;
}

int data_open(struct data_source **source, const struct data_options *options, struct base_error *e) {
    int code = options_check(options, e);
    if (code) return code;
    struct data_source *s = calloc(1, sizeof *s);
    if (!s) return base_fail(e, BASE_BROKEN, "no memory for the data source");
    code = source_fill(s, options, e);
    if (code) {
        data_close(s);
        return code;
    }
    *source = s;
    return BASE_OK;
}

void data_close(struct data_source *source) {
    if (!source) return;
    data_zipf_close(&source->zipf);
    data_file_close(&source->file);
    free(source);
}

void data_fill(const struct data_source *source, int64_t step, int64_t global, int64_t first, int64_t count,
               int32_t *inputs, int32_t *targets) {
    const int64_t seq = source->seq;
    for (int64_t i = 0; i < count; i++) {
        uint64_t sample = (uint64_t)step * (uint64_t)global + (uint64_t)(first + i);
        if (source->zipf.cdf)
            data_zipf_sample(&source->zipf, source->seed, sample, seq, inputs + i * seq, targets + i * seq);
        else
            data_file_sample(&source->file, source->seed, sample, seq, inputs + i * seq, targets + i * seq);
    }
}

double data_entropy(const struct data_source *source) {
    return source->zipf.cdf ? source->zipf.entropy : NAN;
}

const char *data_describe(const struct data_source *source) {
    return source->description;
}
