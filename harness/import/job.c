/* SPDX-License-Identifier: Apache-2.0
 *
 * Builds the common part of imported records, and cleans lines. */
#include "import/job.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

int import_bad(struct import_job *job, long line, const char *format, ...) {
    struct import_notes *notes = job->notes;
    char why[512], place[64] = "";
    va_list list;
    va_start(list, format);
    vsnprintf(why, sizeof why, format, list);
    va_end(list);
    if (line) snprintf(place, sizeof place, "line %ld: ", line);
    if (!job->options->skip_bad)
        return base_fail(job->e, BASE_USAGE, "%s: %s%s; repair it, or use the rest with --skip-bad", job->path, place,
                         why);
    if (!notes->skipped++) snprintf(notes->first, sizeof notes->first, "%.400s: %s%s", job->path, place, why);
    return BASE_OK;
}

json_t *import_record(struct import_job *job, const char *kind, enum record_status status, const char *why, int index,
                      long first, long last) {
    const struct import_options *o = job->options;
    json_t *record = record_head(kind, status, why), *machine = json_object(), *origin = json_object();
    record_set(record, "launch",
               json_pack("{s:o, s:i}", "nodes", o->nodes ? json_integer(o->nodes) : json_null(), "index", index));
    record_set(machine, "host", o->node ? json_string(o->node) : json_null());
    if (o->machine) record_set(machine, "name", json_string(o->machine));
    record_set(record, "machine", machine);
    record_set(record, "workload", json_null());
    record_set(origin, "tool", json_string(job->tool));
    record_set(origin, "file", json_string(job->path));
    if (first) record_set(origin, "lines", json_pack("[I, I]", (json_int_t)first, (json_int_t)last));
    record_set(record, "origin", origin);
    json_array_append_new(job->records, record);
    return record;
}

void import_finish(struct import_job *job, int launches) {
    const struct import_notes *notes = job->notes;
    for (size_t i = job->first; i < json_array_size(job->records); i++) {
        json_t *record = json_array_get(job->records, i), *launch = json_object_get(record, "launch");
        json_t *origin = json_object_get(record, "origin");
        record_set(launch, "id", json_sprintf("%.16s-%d", job->sha256, (int)record_whole(launch, "index")));
        if (job->options->job)
            record_set(launch, "job", json_string(job->options->job));
        else if (launches > 1) /* they share a log, and so a job */
            record_set(launch, "job", json_sprintf("%.16s", job->sha256));
        else
            record_set(launch, "job", json_incref(json_object_get(launch, "id")));
        record_set_integer(launch, "of", launches);
        record_set(origin, "sha256", json_string(job->sha256));
        if (notes->skipped) record_set_integer(origin, "skipped", notes->skipped);
        if (notes->repeated) record_set_integer(origin, "repeated", notes->repeated);
    }
}

void import_set_median(json_t *o, const char *key, const double *x, int n) {
    if (n < 1) return;
    const struct base_interval m = base_stats_median(x, n, 0.95);
    record_set_interval(o, key, m.median, m.low, m.high);
    record_set_number(o, "confidence", m.confidence);
}

int import_lines(struct import_job *job, int (*each)(void *context, char *text, long line), void *context) {
    struct record_lines l;
    int code = record_lines_open(&l, job->path, "a file of another tool's output", job->e);
    for (bool more = !code; more && !code;) {
        struct base_error why = {0};
        code = record_lines_next(&l, &more, &why);
        if (code == BASE_USAGE && more)
            code = import_bad(job, l.number, "it is longer than %d MiB", RECORD_LINE_MOST >> 20);
        else if (code)
            base_fail(job->e, code, "%s", why.text);
        else if (more) {
            import_clean(l.text, l.length);
            code = each(context, l.text, l.number);
        }
    }
    if (!code) record_hash_close(&l.hash, job->sha256);
    record_lines_close(&l);
    return code;
}

/* The end of the escape sequence at `at`: ESC [ ... letter (colours), ESC ] ... BEL (titles), or ESC and one byte. */
static size_t skip_escape(const char *text, size_t at, size_t length) {
    if (++at == length) return at;
    const char kind = text[at++];
    if (kind == ']')
        while (at < length && text[at] != '\a' && text[at] != '\033') at++;
    if (kind == '[')
        while (at < length && (text[at] < '@' || text[at] > '~')) at++;
    /* ESC \ ends a title too, and is the next sequence */
    return (kind == '[' || kind == ']') && at < length && text[at] != '\033' ? at + 1 : at;
}

void import_clean(char *text, size_t length) {
    size_t to = 0;
    for (size_t at = 0; at < length;) {
        if (text[at] == '\033') {
            at = skip_escape(text, at, length);
            continue;
        }
        text[to++] = text[at] && text[at] != '\r' ? text[at] : ' ';
        at++;
    }
    text[to] = 0;
}

bool import_number(const char *text, double *x) {
    char *end;
    if (!*text || isspace((unsigned char)*text) || strpbrk(text, "xX")) return false;
    *x = strtod(text, &end);
    return !*end;
}

const char *import_word(const char *text, size_t *length) {
    text += strspn(text, " \t");
    *length = strcspn(text, " \t");
    return *length ? text : NULL;
}

char *import_trim(char *text) {
    text += strspn(text, " \t");
    size_t n = strlen(text);
    while (n && isspace((unsigned char)text[n - 1])) n--;
    text[n] = 0;
    return text;
}
