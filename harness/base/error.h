/* SPDX-License-Identifier: Apache-2.0
 *
 * Errors as values. A function that fails fills *e and returns an exit code of toise; 0 is success. The function that
 * detects an error words it (what, where, why, the cure); its callers pass it on. Outputs are set only on success.
 *
 * The room base/ gives the other rooms what they need from the operating system. It promises errors, NUMA-bound arenas,
 * pinned threads and cgroup limits. It also has the clock, reproducible random numbers, topology, statistics, small
 * files and text. It needs Linux, OpenMP, libnuma, hwloc and kernels.h. It knows nothing about MPI, JSON, models or
 * training. */
#ifndef TOISE_BASE_ERROR_H
#define TOISE_BASE_ERROR_H

enum base_exit {
    BASE_OK = 0,
    BASE_NO = 1,           /* the answer is no: a check FAILED */
    BASE_USAGE = 2,        /* usage or bad input */
    BASE_INCONCLUSIVE = 3, /* too few or too noisy samples */
    BASE_BROKEN = 4        /* the run broke: a rank died, memory ran out, or a write failed */
};

struct base_error {
    int code;
    char text[1024]; /* one line without a newline; a longer message loses its middle */
};

/* Formats the error, sets e->code and returns `code`. e may be NULL. */
int base_fail(struct base_error *e, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
