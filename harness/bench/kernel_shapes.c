/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads files of shapes: tests/shapes/ *.txt and users' own. kernel_cases.h describes the format. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bench/kernel_cases.h"

enum { WORDS = 12 };

/* One line, split into words. */
struct line {
    const char *path;
    int number, count;
    char *word[WORDS];
};

static int bad(const struct line *l, struct base_error *e, const char *what, const char *fix) {
    return base_fail(e, BASE_USAGE, "%s:%d: %s; %s", l->path, l->number, what, fix);
}

static bool split(struct line *l, char *text) {
    text[strcspn(text, "#\r\n")] = 0;
    l->count = 0;
    for (char *rest = NULL, *word = strtok_r(text, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest)) {
        if (l->count == WORDS) return false;
        l->word[l->count++] = word;
    }
    return true;
}

/* Reads word i as a size from 1 to `most`. `name` is the field's name. */
static int size(const struct line *l, int i, const char *name, int64_t most, int64_t *value, struct base_error *e) {
    char *end, what[128], fix[64];
    if (i >= l->count) {
        snprintf(what, sizeof what, "%s lacks its field %s", l->word[0], name);
        return bad(l, e, what, "see toise kernels --help for the fields of a line");
    }
    errno = 0;
    const long long x = strtoll(l->word[i], &end, 10);
    if (*end || end == l->word[i] || errno || x < 1 || x > most) {
        snprintf(what, sizeof what, "field %s is \"%.32s\"", name, l->word[i]);
        snprintf(fix, sizeof fix, "take a whole number from 1 to %lld", (long long)most);
        return bad(l, e, what, fix);
    }
    *value = x;
    return BASE_OK;
}

/* The fields of a kind of line, in order. All are sizes. */
struct field {
    const char *name;
    int64_t most;
    int64_t *value;
};

static int sizes(const struct line *l, const struct field *fields, int count, struct base_error *e) {
    int code = BASE_OK;
    for (int i = 0; i < count && !code; i++) code = size(l, i + 1, fields[i].name, fields[i].most, fields[i].value, e);
    return code;
}

static int nothing_after(const struct line *l, int count, struct base_error *e) {
    char what[128];
    if (l->count <= count) return BASE_OK;
    snprintf(what, sizeof what, "\"%.32s\" follows the last field of %s", l->word[count], l->word[0]);
    return bad(l, e, what, "leave it out, or put it after a #");
}

static bool is_trans(const char *word) {
    return strlen(word) == 2 && strspn(word, "NT") == 2;
}

static int read_matmul(const struct line *l, struct bench_kernel_shape *s, struct base_error *e) {
    const struct field fields[] = {{"M", 1 << 24, &s->m}, {"N", 1 << 24, &s->n}, {"K", 1 << 24, &s->k}};
    s->a_trans = l->word[0][0] == 'T';
    s->b_trans = l->word[0][1] == 'T';
    s->c_f32 = s->accumulate = s->a_trans;
    int code = sizes(l, fields, 3, e);
    return code ? code : nothing_after(l, 4, e);
}

static int read_attention(const struct line *l, struct bench_kernel_shape *s, struct base_error *e) {
    const struct field fields[] = {{"BATCH", 1 << 16, &s->batch},
                                   {"HEADS", 1 << 12, &s->heads},
                                   {"KV_HEADS", 1 << 12, &s->kv_heads},
                                   {"SEQ", 1 << 20, &s->seq},
                                   {"HEAD_DIM", 256, &s->head_dim}};
    int code = sizes(l, fields, 5, e);
    if (!code && s->heads % s->kv_heads)
        code = bad(l, e, "KV_HEADS does not divide HEADS", "a key/value head serves a whole number of query heads");
    for (int i = 6; i < l->count && !code; i++) {
        if (!strcmp(l->word[i], "alibi"))
            s->alibi = true;
        else if (!strcmp(l->word[i], "window"))
            code = size(l, ++i, "window", 1 << 20, &s->window, e);
        else
            code = nothing_after(l, i, e);
    }
    return code;
}

static int read_line(const struct line *l, enum kernel_dtype dtype, struct bench_kernel_cases *cases,
                     struct base_error *e) {
    struct bench_kernel_shape s = {0};
    int code;
    if (is_trans(l->word[0])) {
        if ((code = read_matmul(l, &s, e))) return code;
        return bench_kernel_cases_add_kind(cases, BENCH_SHAPE_MATMUL, &s, dtype, e);
    }
    if (!strcmp(l->word[0], "attention")) {
        if ((code = read_attention(l, &s, e))) return code;
        return bench_kernel_cases_add_kind(cases, BENCH_SHAPE_ATTENTION, &s, dtype, e);
    }
    if (!strcmp(l->word[0], "rows")) {
        const struct field fields[] = {{"ROWS", 1 << 24, &s.rows}, {"COLS", 1 << 24, &s.cols}};
        s.bias = true;
        if ((code = sizes(l, fields, 2, e)) || (code = nothing_after(l, 3, e))) return code;
        return bench_kernel_cases_add_kind(cases, BENCH_SHAPE_ROWS, &s, dtype, e);
    }
    if (!strcmp(l->word[0], "elements")) {
        const struct field fields[] = {{"N", INT64_C(1) << 40, &s.n}};
        if ((code = sizes(l, fields, 1, e)) || (code = nothing_after(l, 2, e))) return code;
        return bench_kernel_cases_add_kind(cases, BENCH_SHAPE_VECTOR, &s, dtype, e);
    }
    char what[128];
    snprintf(what, sizeof what, "unknown kind of shape \"%.32s\"", l->word[0]);
    return bad(l, e, what, "take NN, NT, TN, TT, attention, rows or elements");
}

static int read_file(FILE *file, const char *path, enum kernel_dtype dtype, struct bench_kernel_cases *cases,
                     struct base_error *e) {
    char *text = NULL;
    size_t capacity = 0;
    int code = BASE_OK;
    struct line l = {.path = path};
    for (ssize_t length; !code && (length = getline(&text, &capacity, file)) >= 0;) {
        l.number++;
        if (strlen(text) < (size_t)length)
            code = bad(&l, e, "a zero byte", "give a text file, one shape per line");
        else if (!split(&l, text))
            code = bad(&l, e, "too many words on a line", "give one shape per line; comments begin with #");
        else if (l.count)
            code = read_line(&l, dtype, cases, e);
    }
    if (!code && ferror(file)) code = base_fail(e, BASE_USAGE, "--shapes: %s: cannot read: %s", path, strerror(errno));
    free(text);
    return code;
}

int bench_kernel_cases_read(struct bench_kernel_cases *cases, const char *path, enum kernel_dtype dtype,
                            struct base_error *e) {
    struct stat found;
    if (!stat(path, &found) && !S_ISREG(found.st_mode))
        return base_fail(e, BASE_USAGE, "--shapes: %s is not a plain file; give a file of shapes", path);
    FILE *file = fopen(path, "re");
    if (!file)
        return base_fail(e, BASE_USAGE, "--shapes: %s: %s; give a file of shapes, or --model NAME for a model's", path,
                         strerror(errno));
    int code = read_file(file, path, dtype, cases, e);
    fclose(file);
    return code;
}
