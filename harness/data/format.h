/* SPDX-License-Identifier: Apache-2.0
 *
 * Decides a token file's format. The user's word comes first, then what the file or an index next to it says. Last
 * comes its name, if the content agrees. A file without any of these is refused. */
#ifndef TOISE_DATA_FORMAT_H
#define TOISE_DATA_FORMAT_H

#include "base/error.h"
#include "data/file.h"

/* Maps the file and finds its tokens, without reading them. The caller closes the file, also after a failure. */
int data_format_open(struct data_file *file, const struct data_options *options, struct base_error *e);

#endif
