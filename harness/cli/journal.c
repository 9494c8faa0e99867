/* SPDX-License-Identifier: Apache-2.0
 *
 * Opens, feeds and ends the journal of a run. Rank 0 alone reads and writes it. */
#include "cli/journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "checkpoint/checkpoint.h"
#include "guard/watchdog.h"
#include "records/get.h"
#include "records/set.h"

/* clang-format off */
const struct cli_option cli_journal_options[] = {
    {.name = "--journal-dir", .kind = CLI_TEXT, .at = offsetof(struct cli_journal_flags, folder), .hint = "DIR",
     .help = "where the journal stands that keeps each sample if the run is killed, e.g. a disk of the node; default "
             "beside --out, else there is none; removed once the run has ended and its samples are in --out"},
    {.name = "--resume", .kind = CLI_TEXT, .at = offsetof(struct cli_journal_flags, resume), .file = CLI_READ,
     .hint = "PATH",
     .help = "go on with a run. Of a checkpoint (--save-every), or the newest in a folder: from its step, in this "
             "layout and world; model, data, precision, seed and optimizer are the checkpoint's. Of a journal: its flags "
             "hold unless given again, its steps are recomputed from the seed and must have the same losses, and its "
             "timed steps count"},
    {.name = "--recover", .kind = CLI_TEXT, .at = offsetof(struct cli_journal_flags, recover), .file = CLI_READ,
     .hint = "JOURNAL", .help = "make the record of a run that was killed from its journal; nothing runs"},
    {.name = NULL},
};
/* clang-format on */

/* Adds the word unless it is --resume or --recover, or follows one. */
static void add_word(struct cli_journal *j, const char *word, bool *skip) {
    static const char *const own[] = {"--resume", "--recover"};
    const bool value = *skip;
    *skip = false;
    for (int i = 0; i < 2 && !value; i++) {
        const size_t length = strlen(own[i]);
        if (strncmp(word, own[i], length) != 0 || (word[length] && word[length] != '=')) continue;
        *skip = !word[length];
        return;
    }
    if (!value) json_array_append_new(j->words, json_stringn_nocheck(word, strlen(word)));
}

/* Whether a word is --NAME=VALUE with one of these names. */
static bool is_of(const char *word, const char *const *names) {
    for (; *names; names++) {
        const size_t n = strlen(*names);
        if (!strncmp(word, *names, n) && word[n] == '=') return true;
    }
    return false;
}

/* The flags of the checkpoint's work, and its folder. */
static int read_checkpoint(struct cli_journal *j, const char *path, const char *const *work, struct base_error *e) {
    struct checkpoint c;
    json_t *word;
    size_t i;
    int code = checkpoint_open(&c, path, e);
    if (code) return code;
    json_array_foreach(record_at(c.about, "arguments"), i, word) {
        if (!json_is_string(word) || !is_of(json_string_value(word), work)) {
            code = base_fail(
                e, BASE_USAGE,
                "--resume %s: checkpoint.json: arguments[%zu] is not a flag of what was trained; take another "
                "checkpoint",
                c.folder, i);
            break;
        }
        json_array_append(j->words, word);
    }
    json_t *own = json_sprintf("--checkpoint=%s", c.folder);
    if (!code && (!i || json_array_append(j->words, own)))
        code = base_fail(e, BASE_USAGE, "--resume %s: %s", c.folder,
                         i ? "a path must be UTF-8: rename the folder"
                           : "checkpoint.json: arguments must be a list of flags; take another checkpoint");
    json_decref(own);
    checkpoint_close(&c);
    return code;
}

/* What --resume names. A file of a checkpoint is no journal. */
static int look(struct cli_journal *j, const char *path, struct base_error *e) {
    struct stat is;
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    if (stat(path, &is)) return base_fail(e, BASE_USAGE, "--resume %s: %s", path, strerror(errno));
    j->checkpoint = S_ISDIR(is.st_mode);
    if (j->checkpoint || (strcmp(name, "checkpoint.json") != 0 && !strstr(name, ".safetensors"))) return BASE_OK;
    return base_fail(e, BASE_USAGE, "--resume %s: is a file of a checkpoint; give its folder", path);
}

static int read_past(struct cli_journal *j, const struct cli_journal_flags *f, const char *const *work, int ranks,
                     struct base_error *e) {
    const char *path = f->resume ? f->resume : f->recover, *word;
    if (!path) return BASE_OK;
    int code = f->resume ? look(j, path, e) : BASE_OK;
    if (code) return code;
    if (j->checkpoint) return read_checkpoint(j, path, work, e);
    code = journal_read(&j->past, path, !f->resume, e);
    if (code) return code;
    if (j->past.text.damaged)
        fprintf(stderr, "toise: %s: line %ld is damaged: it is left out, and what follows it\n", path,
                j->past.text.damaged);
    const long long then = record_whole(j->past.head, "layout.world");
    if (f->resume && then != ranks)
        return base_fail(e, BASE_USAGE, "%s: its run had %lld rank%s, and this one has %d: a run goes on with as many",
                         path, then, then == 1 ? "" : "s", ranks);
    size_t i;
    json_t *value;
    /* it may have depended on the memory that was free */
    json_array_append_new(j->words, json_sprintf("--mbs=%lld", record_whole(j->past.head, "layout.micro_batch")));
    json_array_foreach(record_at(j->past.head, "arguments"), i, value) {
        word = json_string_value(value);
        if (word) json_array_append(j->words, value);
    }
    return BASE_OK;
}

/* All ranks get the words of rank 0. */
static int share_words(struct cli_journal *j, struct comm *world, struct base_error *e) {
    char *text = world->rank ? NULL : json_dumps(j->words, JSON_COMPACT);
    size_t size = text ? strlen(text) + 1 : 0;
    world->ops->broadcast(world, &size, sizeof size);
    if (world->rank && size) text = malloc(size);
    int code = text ? BASE_OK : base_fail(e, BASE_BROKEN, "out of memory for the journal's arguments");
    if (!(code = comm_agree(world, code, e))) {
        world->ops->broadcast(world, text, size);
        if (world->rank) json_decref(j->words), j->words = json_loads(text, 0, NULL);
    }
    free(text);
    return code;
}

int cli_journal_arguments(struct cli_journal *j, struct cli_journal_flags *f, const char *const *work, int argc,
                          char *const *argv, struct comm *world, struct base_error *e) {
    const bool past = f->resume || f->recover;
    bool skip = false;
    j->words = json_array();
    int code = world->rank ? BASE_OK : read_past(j, f, work, world->size, e);
    world->ops->broadcast(world, &j->checkpoint, sizeof j->checkpoint);
    if (past && !(code = comm_agree(world, code, e))) code = share_words(j, world, e);
    if (code) return code;
    if (j->checkpoint) f->resume = NULL;
    for (int i = 0; i < argc; i++) add_word(j, argv[i], &skip);
    j->count = (int)json_array_size(j->words);
    if (!(j->arguments = calloc((size_t)j->count + 1, sizeof *j->arguments)))
        code = base_fail(e, BASE_BROKEN, "out of memory for the journal's arguments");
    if ((code = comm_agree(world, code, e))) return code;
    for (int i = 0; i < j->count; i++)
        j->arguments[i] = (char *)(uintptr_t)json_string_value(json_array_get(j->words, (size_t)i));
    return BASE_OK;
}

int cli_journal_ask(const struct cli_journal_flags *f, struct base_error *e) {
    char path[PATH_MAX], above[PATH_MAX];
    if (!f->folder) return BASE_OK;
    if (!*f->folder) return base_fail(e, BASE_USAGE, "--journal-dir: empty folder name: name the journal's folder");
    snprintf(path, sizeof path, "%.4000s/toise.journal", f->folder);
    if (base_file_could_be_made(path, above)) return BASE_OK;
    return base_fail(e, BASE_USAGE, "--journal-dir: %s: no journal can be made: %s: give another folder", above,
                     strerror(errno));
}

/* "FOLDER/toise-LAUNCH.journal"; the launch's id without its colons. "": no journal. */
static void name(struct cli_journal *j, const struct cli_journal_flags *f, const struct cli_journal_run *run) {
    char id[64];
    size_t n = 0;
    const char *slash = run->out ? strrchr(run->out, '/') : NULL;
    for (const char *c = run->id->launch->id; *c && n + 1 < sizeof id; c++)
        if (*c != ':') id[n++] = *c;
    id[n] = 0;
    if (f->resume)
        snprintf(j->path, sizeof j->path, "%s", f->resume);
    else if (f->folder)
        snprintf(j->path, sizeof j->path, "%.4000s/toise-%s.journal", f->folder, id);
    else if (run->out)
        snprintf(j->path, sizeof j->path, "%.*stoise-%s.journal", slash ? (int)(slash - run->out) + 1 : 0, run->out,
                 id);
}

/* Compares with the journal's last process, and takes what was measured. */
static int go_on(struct cli_journal *j, const struct cli_journal_run *run, const struct comm *world,
                 const json_t *machine, struct base_error *e) {
    const json_t *end = journal_line(&j->past, j->past.process[j->past.count - 1].end - 1, "end");
    if (!strcmp(record_text(end, "end"), "FAILED"))
        return base_fail(e, BASE_USAGE, "%s: its run FAILED: %s: there is nothing to go on with", j->path,
                         record_text(end, "why"));
    int code = journal_check(&j->past, run->plan, run->options, run->id, world, machine, e);
    if (!code) code = journal_earlier(&j->past, j->past.count, &j->earlier, e);
    if (!code && j->past.text.torn) fprintf(stderr, "toise: %s: its last line is torn, and is left out\n", j->path);
    return code;
}

/* Before the watchdog ends the process: what was measured reaches the folder, and the user learns where it is. */
static void on_watchdog(void *context, const struct guard_verdict *verdict, const char *why) {
    const struct cli_journal *j = context;
    const double began = base_clock_now();
    struct guard_journal_state state;
    (void)verdict, (void)why;
    do guard_journal_state(j->journal.lines, &state);
    while (state.acknowledged < state.added && !state.failed && base_clock_now() - began < 2 && !usleep(1000));
    if (!state.acknowledged) return;
    guard_watchdog_say("toise: what was measured is in %s: toise train %s--recover makes the record\n", j->path,
                       j->saves ? "" : "--resume goes on, ");
}

/* A journal that was asked for must be there; one beside --out is optional. */
static int start(struct cli_journal *j, const struct cli_journal_flags *f, const struct cli_journal_run *run,
                 const struct comm *world, json_t *machine, struct base_error *e) {
    struct base_error why = {0};
    json_t *head = journal_head(run->plan, run->options, run->id, world, machine, j->arguments, j->count);
    int code = head ? guard_journal_open(&j->journal.lines, j->path, &run->trainer->place.cpus, &why)
                    : base_fail(&why, BASE_USAGE, "a journal holds no flag that is not UTF-8: rename the file");
    if (!code) {
        guard_journal_add(j->journal.lines, head);
        guard_watchdog_last(on_watchdog, j);
        return BASE_OK;
    }
    json_decref(head);
    j->path[0] = 0;
    if (f->folder || f->resume) return base_fail(e, code, "%s", why.text);
    fprintf(stderr, "toise: no journal, so a kill loses this run: %s\n", why.text);
    return BASE_OK;
}

int cli_journal_open(struct cli_journal *j, const struct cli_journal_flags *f, const struct cli_journal_run *run,
                     struct comm *world, struct base_error *e) {
    int code = BASE_OK;
    j->saves = run->options->save_every;
    if (world->rank == 0) {
        name(j, f, run);
        json_t *machine = j->path[0] ? cli_trainer_machine(run->trainer) : NULL;
        if (f->resume) code = go_on(j, run, world, machine, e);
        if (!code && j->path[0]) code = start(j, f, run, world, machine, e);
        json_decref(machine);
    }
    if ((code = comm_agree(world, code, e)) || !f->resume) return code;
    return journal_share(&j->earlier, world, e);
}

bool cli_journal_note(struct cli_journal *j, const struct train_result *r) {
    return journal_note(&j->journal, r);
}

void cli_journal_record(struct cli_journal *j, const struct train_result *r, json_t *record) {
    json_t *cost;
    if (!j->journal.lines) return;
    guard_watchdog_last(NULL, NULL);
    journal_end(&j->journal, r, &cost, &j->lost);
    record_set(cost, "path", json_string(j->path));
    record_set(json_object_get(record, "result"), "journal", cost);
    if (j->past.count) journal_tell(&j->past, j->past.count, r->timed ? r->timed - r->earlier : 0, record);
}

int cli_journal_end(struct cli_journal *j, const struct train_result *r, bool written, FILE *page,
                    struct base_error *e) {
    if (!j->path[0]) return BASE_OK;
    if (j->lost.code) return base_fail(e, j->lost.code, "%s", j->lost.text);
    const bool lacking = r->status == RECORD_FAILED && r->timed; /* a record that FAILED has no samples */
    if (written && !r->stopped && !lacking) return unlink(j->path), BASE_OK;
    const bool goes_on = r->stopped && !j->saves;
    fprintf(page, "journal     %s%s%s\n", j->path, goes_on ? ": go on with toise train --resume " : "",
            goes_on ? j->path : "");
    return BASE_OK;
}

void cli_journal_close(struct cli_journal *j) {
    guard_watchdog_last(NULL, NULL);
    /* a run that broke before its first step leaves nothing */
    if (j->journal.lines && !j->journal.warm && !j->journal.timed && !j->past.count) unlink(j->path);
    guard_journal_close(j->journal.lines, JOURNAL_PATIENCE_S, NULL, NULL);
    journal_forget(&j->earlier);
    journal_close(&j->past);
    json_decref(j->words);
    free(j->arguments);
    *j = (struct cli_journal){0};
}
