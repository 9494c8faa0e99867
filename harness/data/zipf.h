/* SPDX-License-Identifier: Apache-2.0
 *
 * The built-in source: tokens of a Zipf law with copies at a fixed lag, and its exact entropy. Knows nothing of files.
 */
#ifndef TOISE_DATA_ZIPF_H
#define TOISE_DATA_ZIPF_H

#include <stdint.h>

#include "base/error.h"

struct data_zipf {
    int64_t vocab;
    double *cdf;    /* [vocab], ascending, cdf[vocab - 1] == 1 */
    double entropy; /* nats, mean over a sample's targets */
};

int data_zipf_open(struct data_zipf *zipf, int64_t vocab, int64_t seq, struct base_error *e);
void data_zipf_close(struct data_zipf *zipf);
/* One sample: inputs[seq] and targets[seq] = x[0..seq-1] and x[1..seq]. */
void data_zipf_sample(const struct data_zipf *zipf, uint64_t seed, uint64_t sample, int64_t seq,
                      int32_t *restrict inputs, int32_t *restrict targets);

#endif
