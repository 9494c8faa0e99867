/* SPDX-License-Identifier: Apache-2.0
 *
 * The scratch that attention needs. */
#include "attention/attention.h"

size_t kernel_attention_scratch(int threads, int64_t seq, int64_t head_dim) {
    return (size_t)threads * (size_t)attention_thread_floats(seq, head_dim) * sizeof(float);
}
