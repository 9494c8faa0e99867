/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds out what a file is. Each format has marks that no other has; a file with the marks of none or of two is
 * refused. */
#include "import/import.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "import/job.h"
#include "import/megatron.h"
#include "import/nccl.h"
#include "records/record.h"

enum { JSON_MOST = 512 << 20 }; /* a document is read into memory */

/* clang-format off */
static const struct {
    const char *name, *tool, *mark; /* `mark`: what is looked for */
} formats[IMPORT_FORMATS] = {
    [IMPORT_AUTO] = {"auto", NULL, NULL},
    [IMPORT_MEGATRON] = {"megatron", "Megatron-LM", "lines \"iteration N/ M | ... | elapsed time per iteration (ms): X |\""},
    [IMPORT_NCCL_TESTS] = {"nccl-tests", "nccl-tests", "the table's heading \"# size count type ... time algbw busbw\", or JSON with \"nccl_version\" and \"results\""},
    [IMPORT_GOOGLE_BENCHMARK] = {"google-benchmark", "Google Benchmark", "JSON with \"context\" and \"benchmarks\""},
    [IMPORT_CSV] = {"csv", "CSV", "a heading with the columns node, metric and value"},
};
/* clang-format on */

const char *import_format_name(int format) {
    return format < IMPORT_FORMATS ? formats[format].name : NULL;
}

/* The lines on which each format's mark was first seen; 0: not seen. */
struct marks {
    long line[IMPORT_FORMATS];
    bool document; /* the first character that is no blank begins a JSON object */
    bool records;  /* it is a record of toise */
    bool began;
};

/* Whether the name is one of the columns, with the separators of csv.h. */
static bool has_column(const char *text, const char *name) {
    static const char around[] = ",;\t\" ";
    const size_t n = strlen(name);
    for (const char *at = text; (at = strstr(at, name)); at++)
        if ((at == text || strchr(around, at[-1])) && (!at[n] || strchr(around, at[n]))) return true;
    return false;
}

static bool is_heading(const char *text) {
    return strpbrk(text, ",;\t") && has_column(text, "node") && has_column(text, "metric") && has_column(text, "value");
}

static int look(void *context, char *text, long line) {
    struct marks *m = context;
    const char *at = text + strspn(text, " \t");
    if (!*at) return BASE_OK;
    if (!m->began) m->document = *at == '{', m->records = strstr(at, "\"schema\":\"toise/") != NULL;
    if (!m->line[IMPORT_CSV] && (!m->began || line == 2) && is_heading(at)) m->line[IMPORT_CSV] = line;
    m->began = true;
    if (!m->line[IMPORT_MEGATRON] && import_megatron_marks(text)) m->line[IMPORT_MEGATRON] = line;
    if (!m->line[IMPORT_NCCL_TESTS] && import_nccl_marks(text)) m->line[IMPORT_NCCL_TESTS] = line;
    return BASE_OK;
}

static int refuse_unknown(struct import_job *job, int wanted) {
    char sought[768] = "";
    for (int i = 1; i < IMPORT_FORMATS; i++)
        if (!wanted || wanted == i)
            snprintf(sought + strlen(sought), sizeof sought - strlen(sought), "%s%s (--from %s)", *sought ? "; " : "",
                     formats[i].mark, formats[i].name);
    return base_fail(job->e, BASE_USAGE, "%s: %s: looked for %s", job->path,
                     wanted ? "is not of the format that --from names" : "is of no known format", sought);
}

static int refuse_mixed(struct import_job *job, const struct marks *m, int a, int b) {
    return base_fail(job->e, BASE_USAGE,
                     "%s: line %ld is of %s, line %ld of %s: divide the file, or name one format with --from %s|%s",
                     job->path, m->line[a], formats[a].tool, m->line[b], formats[b].tool, formats[a].name,
                     formats[b].name);
}

/* By the keys at the top of a document; IMPORT_AUTO: none that is known. */
static enum import_format format_of(const json_t *json) {
    if (json_is_object(json_object_get(json, "context")) && json_is_array(json_object_get(json, "benchmarks")))
        return IMPORT_GOOGLE_BENCHMARK;
    if (json_object_get(json, "nccl_version") && json_is_array(json_object_get(json, "results")))
        return IMPORT_NCCL_TESTS;
    return IMPORT_AUTO;
}

static int read_document(struct import_job *job) {
    const int wanted = job->options->from;
    struct stat found;
    json_t *json = NULL;
    if (!stat(job->path, &found) && found.st_size > JSON_MOST)
        return base_fail(job->e, BASE_USAGE, "%s: is a JSON document of more than %d MiB: divide it", job->path,
                         JSON_MOST >> 20);
    int code = record_json_load(job->path, &json, job->e);
    if (code) return code;
    const enum import_format format = format_of(json);
    job->notes->format = format, job->tool = formats[format].tool;
    if (!format || (wanted && wanted != (int)format))
        code = refuse_unknown(job, wanted);
    else if (format == IMPORT_GOOGLE_BENCHMARK)
        code = import_google_benchmark(job, json);
    else
        code = import_nccl_json(job, json);
    if (!code) import_finish(job, 1);
    json_decref(json);
    return code;
}

static int read_text(struct import_job *job, enum import_format format) {
    job->notes->format = format, job->tool = formats[format].tool;
    return format == IMPORT_MEGATRON     ? import_megatron(job)
           : format == IMPORT_NCCL_TESTS ? import_nccl_text(job)
                                         : import_figures(job);
}

int import_file(const char *path, const struct import_options *options, json_t *records, struct import_notes *notes,
                struct base_error *e) {
    struct import_job job = {.path = path, .options = options, .records = records, .notes = notes, .e = e};
    struct marks m = {0};
    int found = 0;
    *notes = (struct import_notes){0};
    job.first = json_array_size(records);
    int code = import_lines(&job, look, &m);
    if (code) return code;
    *notes = (struct import_notes){0}; /* lines are counted by who reads them */
    if (!m.began) return base_fail(e, BASE_USAGE, "%s: is empty: give another tool's output", path);
    if (m.records) return base_fail(e, BASE_USAGE, "%s: holds records of toise already: use it as it is", path);
    if (m.document) return read_document(&job);
    if (options->from) {
        if (!m.line[options->from]) return refuse_unknown(&job, options->from);
        return read_text(&job, options->from);
    }
    for (int i = 1; i < IMPORT_FORMATS; i++) {
        if (!m.line[i]) continue;
        if (found) return refuse_mixed(&job, &m, found, i);
        found = i;
    }
    return found ? read_text(&job, (enum import_format)found) : refuse_unknown(&job, 0);
}
