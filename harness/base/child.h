/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs a child process that answers in one line. */
#ifndef TOISE_BASE_CHILD_H
#define TOISE_BASE_CHILD_H

#include <stdbool.h>

/* Starts command[0] with these arguments and reads its standard output into line[size]. Drops its standard error. The
 * child's environment lacks launcher variables and OPENBLAS_CORETYPE, and gains `setting` ("NAME=value") unless it is
 * NULL. The child is killed after limit_s seconds. True: it exited with 0 in time. */
bool base_child(char *const command[], const char *setting, double limit_s, char *line, int size);

#endif
