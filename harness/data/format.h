/* SPDX-License-Identifier: Apache-2.0
 *
 * Which format a token file has: what the user says, else what the file or an index beside it says of itself, else what
 * its name says and nothing in it contradicts. Never what is left over: a file that nothing tells is refused. */
#ifndef TOISE_DATA_FORMAT_H
#define TOISE_DATA_FORMAT_H

#include "base/error.h"
#include "data/file.h"

/* Maps the file and finds its tokens, which are not looked at one by one. The caller closes it, also after a failure.
 */
int data_format_open(struct data_file *file, const struct data_options *options, struct base_error *e);

#endif
