/* SPDX-License-Identifier: Apache-2.0
 *
 * The one clock for timing (CLOCK_MONOTONIC_RAW, in seconds), and the date for records. */
#ifndef TOISE_BASE_CLOCK_H
#define TOISE_BASE_CLOCK_H

double base_clock_now(void);
/* UTC in ISO 8601 with seconds: "2026-01-31T12:00:00Z". */
void base_clock_date(char text[32]);

#endif
