/* SPDX-License-Identifier: Apache-2.0
 *
 * How a function says what went wrong: it fills *e and returns the exit code that the fault deserves; 0 is
 * success. Whoever first decides that it is an error words it (what, where, why, the fix); others pass it on.
 * Outputs are set on success only. */
#ifndef TOISE_BASE_ERROR_H
#define TOISE_BASE_ERROR_H

enum base_exit {
    BASE_OK = 0,
    BASE_NO = 1,           /* the answer is no: a check FAILED */
    BASE_USAGE = 2,        /* usage or bad input */
    BASE_INCONCLUSIVE = 3, /* too few or too noisy samples */
    BASE_BROKEN = 4        /* the run broke: a rank died, out of memory, an I/O error while writing */
};

struct base_error {
    int code;
    char text[1024]; /* one line, no newline; a longer one without its middle */
};

/* Words the error, sets e->code and returns `code`. e may be NULL. */
int base_fail(struct base_error *e, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
