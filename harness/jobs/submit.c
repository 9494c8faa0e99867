/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes and runs the script that submits a campaign's jobs. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/child.h"
#include "base/file.h"
#include "jobs/jobs.h"
#include "jobs/paths.h"
#include "records/catalog.h"

/* Text that the shell takes as it is, after text that it reads. */
static void put(FILE *out, const char *before, const char *text) {
    fprintf(out, "%s'", before);
    for (; *text; text++)
        if (*text == '\'')
            fputs("'\\''", out);
        else
            fputc(*text, out);
    fputc('\'', out);
}

/* The batch script of a command: beside the sources, or installed. */
static int find_script(const char *command, char path[PATH_MAX], struct base_error *e) {
    static const char *const places[] = {"../../scripts/slurm", "../slurm"};
    char file[128], found[RECORD_CATALOG_PATH];
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        snprintf(file, sizeof file, "%s/%s.sbatch", places[i], command);
        if (!record_catalog_path(file, found, NULL) && realpath(found, path)) return BASE_OK;
    }
    return base_fail(e, BASE_BROKEN, "no %s.sbatch in scripts/slurm beside the program, nor installed with it",
                     command);
}

struct script {
    const struct jobs_campaign *c;
    char program[PATH_MAX], folder[PATH_MAX];
    int count;
};

static bool is_missing(const struct jobs_job *j) {
    return j->state == JOBS_NEW || j->state == JOBS_FAILED;
}

static void write_job(FILE *out, const struct script *s, const struct jobs_job *j, const char *batch) {
    const struct jobs_work *w = j->work;
    put(out, "submit ", j->name);
    fprintf(out, " --nodes=%d", j->nodes);
    put(out, " --job-name=toise-", s->c->name);
    put(out, " --output=\"$folder\"/", j->name), fputs("-%j.out", out);
    if (w->time) put(out, " --time=", w->time);
    if (j->day > 1) fprintf(out, " --begin=now+%ddays", j->day - 1);
    for (int i = 0; i < s->c->sbatch_count; i++) put(out, " ", s->c->sbatch[i]);
    put(out, " ", batch);
    if (w->workload) put(out, " --workload=", w->workload);
    if (w->precision) put(out, " --precision=", w->precision);
    for (int i = 0; i < w->flag_count; i++) put(out, " ", w->flags[i]);
    if (w->command->repeats) fprintf(out, " --launches=%d", w->launches - j->done);
    if (w->command->sized) fputs(" --journal-dir=\"$folder\"/journals", out);
    put(out, " --out=\"$folder\"/", j->name), fputs(".jsonl\n", out);
}

/* Slurm's numbers of the jobs that wait, as they were submitted. */
static void write_waiting(FILE *out, const struct jobs_campaign *c) {
    for (int last = 0;;) {
        const struct jobs_job *next = NULL;
        for (int i = 0; i < c->count; i++) {
            const struct jobs_job *j = &c->jobs[i];
            if (j->state == JOBS_WAITING && j->submitted > last && (!next || j->submitted < next->submitted)) next = j;
        }
        if (!next) return;
        fprintf(out, " %s", next->id);
        last = next->submitted;
    }
}

static bool fill(FILE *out, void *context) {
    const struct script *s = context;
    const struct jobs_campaign *c = s->c;
    fprintf(out,
            "#!/usr/bin/env bash\n"
            "# Written by toise sbatch: submits the jobs of a campaign that are missing. Each starts when the one %d "
            "before it ended,\n# however it ended. Notes each in \"submitted\", so that none is submitted twice.\n"
            "set -euo pipefail\n",
            c->at_once);
    put(out, "folder=", s->folder);
    put(out, "\nexport TOISE=", s->program);
    if (c->site[0]) { /* for sbatch here, and for the job; modules do not keep to -eu */
        put(out, "\nexport TOISE_SITE=", c->site);
        fputs("\nset +eu\n. \"$TOISE_SITE\"\nset -eu", out);
    }
    fputs("\nmkdir -p \"$folder/journals\"\n"
          "[ ! \"$folder/submitted\" -nt \"$0\" ] || {\n"
          "    echo \"$0 has run: toise sbatch writes another one\" >&2\n    exit 2\n}\nids=(",
          out);
    write_waiting(out, c);
    fprintf(out,
            " )\n"
            "submit() { # submit NAME SBATCH_ARGUMENTS...\n"
            "    local name=$1 id before=()\n"
            "    shift\n"
            "    [ ${#ids[@]} -lt %d ] || before=(\"--dependency=afterany:${ids[${#ids[@]}-%d]}\")\n"
            "    id=$(sbatch --parsable \"${before[@]}\" \"$@\")\n"
            "    id=${id%%%%;*}\n"
            "    ids+=(\"$id\")\n"
            "    printf '%%s %%s\\n' \"$id\" \"$name\" >>\"$folder/submitted\"\n"
            "    echo \"job $id: $name\"\n"
            "}\n",
            c->at_once, c->at_once);
    for (int i = 0; i < c->count; i++) {
        char batch[PATH_MAX];
        if (is_missing(&c->jobs[i]) && !find_script(c->jobs[i].work->command->name, batch, NULL))
            write_job(out, s, &c->jobs[i], batch);
    }
    return !ferror(out);
}

int jobs_write(const struct jobs_campaign *c, int *count, struct base_error *e) {
    struct script s = {.c = c};
    char path[JOBS_PATH], parent[PATH_MAX], batch[PATH_MAX];
    *count = 0;
    for (int i = 0; i < c->count; i++) {
        const int code = is_missing(&c->jobs[i]) ? find_script(c->jobs[i].work->command->name, batch, e) : BASE_OK;
        if (code) return code;
        *count += is_missing(&c->jobs[i]);
    }
    const ssize_t length = readlink("/proc/self/exe", s.program, sizeof s.program - 1);
    if (length < 0) return base_fail(e, BASE_BROKEN, "cannot find the toise executable: /proc/self/exe is unreadable");
    s.program[length] = 0;
    jobs_path(c, "submit", ".sh", path);
    if (!base_file_parents(path, parent) || !realpath(parent, s.folder))
        return base_fail(e, BASE_USAGE, "%s: cannot make this folder; name another one with --dir", c->folder);
    return base_file_make(path, fill, &s, e);
}

int jobs_submit(const struct jobs_campaign *c, struct base_error *e) {
    char path[JOBS_PATH];
    struct base_child_end end;
    const struct base_child_how how = {.limit_s = 3600, .most = 1 << 20};
    jobs_path(c, "submit", ".sh", path);
    char *const command[] = {"bash", path, NULL};
    int code = base_child_run(command, &how, &end, e);
    if (code) return code;
    if (end.code || end.late)
        code = base_fail(e, BASE_USAGE, "sbatch refused a job; those before it are submitted: %.800s",
                         *end.errors ? end.errors : "it does not answer");
    free(end.out);
    return code;
}
