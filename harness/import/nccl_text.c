/* SPDX-License-Identifier: Apache-2.0
 *
 * The table that nccl-tests prints. writeResultHeader() and writeBenchmarkLineBody() in its src/util.cu write it: the
 * columns have names and units above them, those of time, bandwidth and #wrong first out of place, then in place.
 * Several runs may follow each other in a file. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "import/nccl.h"

enum { WORDS = 40, WORD = 160 };

struct table {
    struct import_job *job;
    struct nccl_run run;
    char columns[WORDS][24];
    int count;    /* of columns; 0: no heading yet */
    bool units;   /* the line below the heading was read */
    bool points;  /* the run has rows */
    size_t first; /* of its records */
    int launches;
    json_t *hosts;
};

/* The text behind the rank that mpirun --tag-output or srun -l writes. */
static char *untagged(char *text) {
    char *at = text;
    if (*at == '[') {
        char *end = strstr(at, "<stdout>:");
        if (end) return end + strlen("<stdout>:");
    }
    while (*at == ' ') at++;
    char *digits = at;
    while (isdigit((unsigned char)*at)) at++;
    return at > digits && *at == ':' ? at + 1 : text;
}

static int split(const char *text, char words[WORDS][WORD]) {
    int n = 0;
    size_t length;
    for (const char *at = text; n < WORDS && (at = import_word(at, &length)); at += length)
        snprintf(words[n++], WORD, "%.*s", (int)length, at);
    return n;
}

bool import_nccl_marks(const char *text) {
    static const char *const needed[] = {" size ", " count ", " type ", "time ", " algbw ", " busbw "};
    const char *at = strchr(text, '#');
    for (size_t i = 0; at && i < sizeof needed / sizeof *needed; i++)
        if (!strstr(at, needed[i])) return false;
    return at != NULL;
}

/* A run without its summary was cut off: its records say so. */
static void end_run(struct table *t, bool complete) {
    for (size_t i = t->first; i < json_array_size(t->job->records) && !complete; i++)
        record_set(json_object_get(json_array_get(t->job->records, i), "origin"), "complete", json_false());
    t->first = json_array_size(t->job->records);
    t->run = (struct nccl_run){.warmup = -1};
    t->count = 0, t->points = false;
    json_object_clear(t->hosts);
}

/* The number behind the words; -1: they are not there. */
static long number_behind(const char *text, const char *words) {
    const char *at = strstr(text, words);
    return at ? strtol(at + strlen(words), NULL, 10) : -1;
}

/* "#  Rank  0 Group  0 Pid   6899 on NODE device  0 [0000:04:00] NAME" */
static void take_rank(struct table *t, char *text) {
    char *host = strstr(text, " on "), *device = strstr(text, " device "), *name = strchr(text, ']');
    if (!host || !device || device < host) return;
    *device = 0;
    host = import_trim(host + 4);
    if (!t->run.ranks++) {
        snprintf(t->run.host, sizeof t->run.host, "%s", host);
        if (name) snprintf(t->run.device, sizeof t->run.device, "%s", import_trim(name + 1));
    }
    json_object_set_new(t->hosts, host, json_true());
    t->run.nodes = (int)json_object_size(t->hosts);
}

static int take_heading(struct table *t, const char *text, long line) {
    char words[WORDS][WORD];
    const int n = split(strchr(text, '#') + 1, words);
    if (t->points) end_run(t, false);
    for (int i = 0; i < n; i++) snprintf(t->columns[i], sizeof t->columns[i], "%.23s", words[i]);
    t->count = n, t->units = false;
    return import_nccl_op(t->job, &t->run, line);
}

/* The units below the heading: blank for names without one. */
static int take_units(struct table *t, const char *text, long line) {
    static const struct {
        const char *column, *unit;
    } known[] = {{"size", "(B)"},     {"count", "(elements)"}, {"time", "(us)"},
                 {"algbw", "(GB/s)"}, {"busbw", "(GB/s)"},     {"i_min", "(us)"},
                 {"i_max", "(us)"},   {"i_p99", "(us)"},       {"i_cv%", "(%)"}};
    char words[WORDS][WORD];
    const int n = split(strchr(text, '#') + 1, words);
    int next = 0;
    for (int i = 0; i < t->count; i++)
        for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
            if (strcmp(t->columns[i], known[k].column) != 0) continue;
            if (next < n && !strcmp(words[next], known[k].unit)) {
                next++;
                continue;
            }
            return base_fail(t->job->e, BASE_USAGE,
                             "%s: line %ld: the unit of %s is \"%s\", not %s: toise reads only that", t->job->path,
                             line, known[k].column, next < n ? words[next] : "", known[k].unit);
        }
    t->units = true;
    return BASE_OK;
}

/* The group-th column of the name; -1: none. */
static int column(const struct table *t, const char *name, int group) {
    for (int i = 0; i < t->count; i++)
        if (!strcmp(t->columns[i], name) && !group--) return i;
    return -1;
}

/* A figure of a row; NAN: no such column, or "N/A". False: not a number. */
static bool figure(const struct table *t, char words[WORDS][WORD], const char *name, int group, double unit,
                   double *x) {
    const int i = column(t, name, group);
    *x = NAN;
    if (i < 0 || !strcmp(words[i], "N/A")) return true;
    const bool read = import_number(words[i], x);
    *x *= unit;
    return read;
}

static int take_group(struct table *t, char words[WORDS][WORD], int group, struct nccl_point p) {
    const bool read =
        figure(t, words, "time", group, 1e-6, &p.time_s) && figure(t, words, "algbw", group, 1e9, &p.algbw) &&
        figure(t, words, "busbw", group, 1e9, &p.busbw) && figure(t, words, "#wrong", group, 1, &p.wrong) &&
        figure(t, words, "i_min", group, 1e-6, &p.min_s) && figure(t, words, "i_max", group, 1e-6, &p.max_s) &&
        figure(t, words, "i_p99", group, 1e-6, &p.p99_s) && figure(t, words, "i_cv%", group, 1e-2, &p.cv);
    p.in_place = group;
    if (!read || !(p.time_s > 0)) return import_bad(t->job, p.line, "a figure is not a number above 0");
    const double ratio = p.algbw * p.time_s / p.bytes;
    if (p.algbw >= 1e9 && p.time_s >= 1e-5 && !(ratio > 0.5 && ratio < 2))
        return import_bad(t->job, p.line,
                          "time and algbw contradict each other (%.3g bytes in %.3g s are not %.3g byte/s)", p.bytes,
                          p.time_s, p.algbw);
    import_nccl_record(t->job, &t->run, &p, t->launches + !t->points);
    return BASE_OK;
}

static int take_row(struct table *t, const char *text, long line) {
    char words[WORDS][WORD];
    const int n = split(text, words), dated = column(t, "timestamp", 0) >= 0;
    struct nccl_point p = {.line = line, .root = -1};
    if (n != t->count + dated) return import_bad(t->job, line, "the row has %d of %d columns", n, t->count + dated);
    const int type = column(t, "type", 0), redop = column(t, "redop", 0), root = column(t, "root", 0);
    if (!figure(t, words, "size", 0, 1, &p.bytes) || !figure(t, words, "count", 0, 1, &p.count) || !(p.bytes >= 0))
        return import_bad(t->job, line, "size or count is not a number");
    if (!t->units)
        return base_fail(t->job->e, BASE_USAGE, "%s: line %ld: no units stand above the row", t->job->path, line);
    if (column(t, "time", 0) < 0)
        return base_fail(t->job->e, BASE_USAGE,
                         "%s: line %ld: the table has CPU times, of option -C: run nccl-tests without it", t->job->path,
                         line);
    if (type >= 0) snprintf(p.type, sizeof p.type, "%.23s", words[type]);
    if (redop >= 0) snprintf(p.redop, sizeof p.redop, "%.23s", words[redop]);
    if (root >= 0) p.root = strtol(words[root], NULL, 10);
    int code = take_group(t, words, 0, p);
    if (!code && column(t, "time", 1) >= 0) code = take_group(t, words, 1, p);
    if (!t->points) t->launches++;
    t->points = true;
    return code;
}

/* A command that was echoed into the file names the collective for an older version. */
static void take_command(struct table *t, const char *text) {
    size_t length;
    char op[32];
    if (t->run.op[0] || t->points) return;
    for (const char *at = text; (at = import_word(at, &length)); at += length)
        if (import_nccl_program(at, op)) memcpy(t->run.op, op, sizeof op);
}

/* "... warmup iters: 5 iters: 20 agg iters: 1 ..." */
static void take_counts(struct table *t, const char *text) {
    const char *warm = strstr(text, "warmup iters: ");
    t->run.warmup = number_behind(text, "warmup iters: ");
    t->run.iterations = number_behind(warm ? warm + strlen("warmup iters: ") : text, " iters: ");
    if (t->run.iterations < 0) t->run.iterations = 0;
}

static int take_remark(struct table *t, char *text, long line) {
    char *program = strstr(text, "Collective test starting: ");
    const bool begins = program || strstr(text, "# nThread ");
    if (begins && t->points) end_run(t, false);
    if (program)
        import_nccl_program(program + strlen("Collective test starting: "), t->run.op);
    else if (begins)
        take_counts(t, text);
    if (strstr(text, " Rank ") && strstr(text, " Pid ")) take_rank(t, text);
    if (import_nccl_marks(text)) return take_heading(t, text, line);
    if (t->count && !t->units && strstr(text, "(B)")) return take_units(t, text, line);
    if (strstr(text, "Avg bus bandwidth") && t->points) end_run(t, true);
    return BASE_OK;
}

static int take(void *context, char *line_text, long line) {
    struct table *t = context;
    char *text = untagged(line_text);
    const char *at = text + strspn(text, " \t");
    if (*at == '#') return take_remark(t, text, line);
    if (t->count && isdigit((unsigned char)*at)) return take_row(t, text, line);
    take_command(t, text);
    return BASE_OK;
}

int import_nccl_text(struct import_job *job) {
    struct table t = {.job = job, .run.warmup = -1, .first = job->first, .hosts = json_object()};
    int code = import_lines(job, take, &t);
    if (!code) end_run(&t, false);
    if (!code && !t.launches)
        code = base_fail(job->e, BASE_USAGE, "%s: the table has no row%s%s", job->path,
                         job->notes->skipped ? " that can be used; the first: " : "", job->notes->first);
    if (!code) import_finish(job, t.launches);
    json_decref(t.hosts);
    return code;
}
