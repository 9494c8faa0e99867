/* SPDX-License-Identifier: Apache-2.0
 *
 * A timeline as the Chrome trace format has it, which chrome://tracing and Perfetto open: a process a device, a thread
 * for its compute and one for its messages; times in microseconds. */
#ifndef TOISE_PROJECTION_TRACE_H
#define TOISE_PROJECTION_TRACE_H

#include "costmodel/schedule.h"

/* Writes `count` events to `path`, whole or not at all; title: what the trace shows. BASE_BROKEN names the file. */
int projection_trace_write(const char *path, const char *title, const struct cost_event *events, int64_t count,
                           struct base_error *e);

#endif
