/* SPDX-License-Identifier: Apache-2.0
 *
 * A journal: lines that outlive the process that wrote them. A line is one JSON object, and ends in a checksum of what
 * stands before it. Adding a line copies it to memory and returns. A thread writes and syncs it, so a slow folder does
 * not slow the caller. A line is acknowledged once fsync has returned after its write: neither a kill nor the loss of
 * power takes it away.
 *
 * For one writer at a time, which holds a lock on the file. It does not know what the lines mean. */
#ifndef TOISE_GUARD_JOURNAL_H
#define TOISE_GUARD_JOURNAL_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/threads.h"

struct guard_journal;

/* Opens a journal to append to: a new file with its folders, or one that exists and is whole but for its torn end,
 * which is cut off. The thread runs on `cpus`; NULL: on the caller's. BASE_USAGE with the cure: the file cannot be
 * written, another process writes it, or it is no journal. */
int guard_journal_open(struct guard_journal **journal, const char *path, const struct base_cpus *cpus,
                       struct base_error *e);
/* Adds a line, and never waits. Takes over `line`. False: memory is full since the folder is slow, or writing failed;
 * the line was not taken. */
bool guard_journal_add(struct guard_journal *journal, json_t *line);

struct guard_journal_state {
    long added, acknowledged; /* lines, since it was opened */
    long syncs;
    double sync_s, slowest_sync_s; /* seconds of the thread in write and fsync: all, and the slowest pair */
    double add_s;                  /* seconds that the caller spent adding */
    double cpu_s;                  /* of the thread */
    int failed;                    /* errno of the write or sync that ended the journal; 0: none */
};
/* From any thread, while the journal is open. */
void guard_journal_state(const struct guard_journal *journal, struct guard_journal_state *state);

/* Waits until all lines are acknowledged, but at most `patience_s`, and closes the journal. The wait counts as progress
 * for the watchdog. BASE_BROKEN with the file
 * and the reason: some lines are not. *state is then final; it may be NULL. A NULL journal is none. */
int guard_journal_close(struct guard_journal *journal, double patience_s, struct guard_journal_state *state,
                        struct base_error *e);

/* What a journal holds. */
struct guard_journal_text {
    json_t *lines;   /* in their order, without their checksums */
    long torn;       /* bytes behind the last whole line, which was being written when the process ended */
    long long whole; /* bytes before them */
    long damaged;    /* the number, from 1, of a damaged line before whole ones, which are not taken; 0: none */
};
/* Reads a journal. BASE_USAGE with the file: unreadable, not a journal, or damaged: a whole line follows a line whose
 * checksum differs. json_decref(text->lines) frees it. */
int guard_journal_read(const char *path, struct guard_journal_text *text, struct base_error *e);
/* The same, but takes the lines before the damage: they were acknowledged, and a loss of power can spoil lines that
 * were not in any order. BASE_USAGE, too: a process still writes it. */
int guard_journal_read_damaged(const char *path, struct guard_journal_text *text, struct base_error *e);

#endif
