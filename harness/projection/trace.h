/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes a timeline in the Chrome trace format, which chrome://tracing and Perfetto open. A device is a process with
 * two threads, one for compute and one for messages. Times are in microseconds. */
#ifndef TOISE_PROJECTION_TRACE_H
#define TOISE_PROJECTION_TRACE_H

#include "costmodel/schedule.h"

/* Writes `count` events to `path`, whole or not at all. The title says what the trace shows. BASE_BROKEN names the
 * file. */
int projection_trace_write(const char *path, const char *title, const struct cost_event *events, int64_t count,
                           struct base_error *e);

#endif
