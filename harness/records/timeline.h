/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes a timeline in the Trace Event Format (Google's document of that name, 2016), which Perfetto and
 * chrome://tracing open: processes with tracks, and on them complete events ("ph": "X"). Event by event, so that a
 * long one needs no memory. */
#ifndef TOISE_RECORDS_TIMELINE_H
#define TOISE_RECORDS_TIMELINE_H

#include <stdbool.h>
#include <stdio.h>

struct record_timeline {
    FILE *file;
    bool any, failed; /* something is in its list; something could not be written */
};

struct record_event {
    const char *name, *kind; /* ASCII without quotes */
    double start_s, seconds; /* since any moment that all share */
    int process, track;
};

struct record_timeline record_timeline_begin(FILE *file);
void record_timeline_event(struct record_timeline *timeline, const struct record_event *event);
/* Names a process, or with track >= 0 one of its tracks. */
void record_timeline_name(struct record_timeline *timeline, int process, int track, const char *name);
/* Ends the file with a title. False with errno: something was not written. */
bool record_timeline_end(struct record_timeline *timeline, const char *title);

#endif
