/* SPDX-License-Identifier: Apache-2.0
 *
 * ALiBi's slopes and rotary angles, with the two scalings of rotary positions. */
#include "model/buffers.h"

#include <math.h>

void model_position_slopes(int64_t heads, int64_t first, int64_t count, float *slopes) {
    int64_t power = 1;
    while (2 * power <= heads) power *= 2;
    for (int64_t h = first; h < first + count; h++) {
        const double n = (double)power, at = (double)(h < power ? h + 1 : h - power);
        slopes[h - first] = (float)(h < power ? exp2(-8 * at / n) : exp2(-8 * (2 * at + 1) / (2 * n)));
    }
}

/* Radians per position of plane i. Llama 3.1 slows wavelengths beyond original / low by `factor`, leaves those below
 * original / high, and interpolates the speed between. */
static double speed(const struct model_config *c, int64_t i) {
    const struct model_rotary *r = &c->rotary;
    const double plain = pow(r->theta, -2.0 * (double)i / (double)c->head_dim);
    if (r->factor == 0) return plain;
    if (r->high == 0) return plain / r->factor;
    const double turns = (double)r->original * plain / (2 * M_PI); /* over the positions of the first training */
    if (turns < r->low) return plain / r->factor;
    if (turns > r->high) return plain;
    const double part = (turns - r->low) / (r->high - r->low);
    return (1 - part) * plain / r->factor + part * plain;
}

void model_position_angles(const struct model_config *c, int64_t first, int64_t count, float *cosines, float *sines) {
    const int64_t half = c->head_dim / 2;
    for (int64_t i = 0; i < half; i++) {
        const double each = speed(c, i);
        for (int64_t t = 0; t < count; t++) {
            const double angle = (double)(first + t) * each;
            cosines[t * half + i] = (float)cos(angle);
            sines[t * half + i] = (float)sin(angle);
        }
    }
}
