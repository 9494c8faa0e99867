/* SPDX-License-Identifier: Apache-2.0
 *
 * A child process that answers in one line. */
#ifndef TOISE_BASE_CHILD_H
#define TOISE_BASE_CHILD_H

#include <stdbool.h>

/* Starts command[0] with these arguments and reads what it prints into line[size]; its standard error is dropped. The
 * environment is this one's without a launcher's variables and OPENBLAS_CORETYPE, with `setting` ("NAME=value") unless
 * NULL. After limit_s seconds it is killed. True when it ended by exit(0) in time. */
bool base_child(char *const command[], const char *setting, double limit_s, char *line, int size);

#endif
