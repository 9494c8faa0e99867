/* SPDX-License-Identifier: Apache-2.0
 *
 * NTP does not slew the raw monotonic clock, so two windows of equal length read as equal. */
#include "base/clock.h"

#include <time.h>

double base_clock_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_RAW, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void base_clock_date(char text[32]) {
    time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc) == NULL || strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0) text[0] = '\0';
}
