/* SPDX-License-Identifier: Apache-2.0
 *
 * Times in the file are microseconds. */
#include "records/timeline.h"

#include <errno.h>
#include <jansson.h>

static void text(struct record_timeline *t, const char *value) {
    json_t *string = json_string(value);
    if (!string) string = json_string("?"); /* not UTF-8 */
    if (json_dumpf(string, t->file, JSON_ENCODE_ANY)) t->failed = true;
    json_decref(string);
}

static void next(struct record_timeline *t) {
    if (fputs(t->any ? ",\n" : "\n", t->file) < 0) t->failed = true;
    t->any = true;
}

struct record_timeline record_timeline_begin(FILE *file) {
    struct record_timeline t = {file, false, false};
    if (fputs("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[", file) < 0) t.failed = true;
    return t;
}

void record_timeline_event(struct record_timeline *t, const struct record_event *x) {
    next(t);
    if (fprintf(t->file, "{\"name\":\"%s\",\"cat\":\"%s\",\"ph\":\"X\",\"ts\":%.3f,\"dur\":%.3f,\"pid\":%d,\"tid\":%d}",
                x->name, x->kind, 1e6 * x->start_s, 1e6 * x->seconds, x->process, x->track) < 0)
        t->failed = true;
}

void record_timeline_name(struct record_timeline *t, int process, int track, const char *name) {
    next(t);
    if (fprintf(t->file, "{\"name\":\"%s_name\",\"ph\":\"M\",\"pid\":%d,\"tid\":%d,\"args\":{\"name\":",
                track < 0 ? "process" : "thread", process, track < 0 ? 0 : track) < 0)
        t->failed = true;
    text(t, name);
    if (fputs("}}", t->file) < 0) t->failed = true;
}

bool record_timeline_end(struct record_timeline *t, const char *title) {
    if (fputs("\n],\"otherData\":{\"title\":", t->file) < 0) t->failed = true;
    text(t, title);
    if (fputs("}}\n", t->file) < 0) t->failed = true;
    if (t->failed && !errno) errno = EIO;
    return !t->failed;
}
