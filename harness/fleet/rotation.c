/* SPDX-License-Identifier: Apache-2.0
 *
 * The circle method: units 0 to m - 1 stand on a circle, and those whose numbers add up to the matching's, modulo m,
 * meet. One meets itself: it plays the last unit, which stands in the middle, or rests if there is none. */
#include "fleet/rotation.h"

#include "base/random.h"

int fleet_rotation_whole(int units) {
    return units < 2 ? 0 : units % 2 ? units : units - 1;
}

static int common_divisor(int a, int b) {
    while (b) {
        const int rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

int fleet_rotation_matching(int units, uint64_t seed, int round) {
    const int m = fleet_rotation_whole(units);
    const int start = (int)(base_random_unit(seed, BASE_STREAM_FLEET, 0) * m);
    int stride = 1 + (int)(base_random_unit(seed, BASE_STREAM_FLEET, 1) * (m - 1));
    while (common_divisor(m, stride) != 1) stride = stride % m + 1; /* 1 divides all, so it ends */
    return (int)((start + (int64_t)round % m * stride) % m);
}

int fleet_rotation_partner(int units, int matching, int unit) {
    const int m = fleet_rotation_whole(units);
    if (m == 0) return -1;
    if (unit == m) return (int)((int64_t)matching * (m + 1) / 2 % m); /* half of the matching's number, modulo m */
    const int other = (matching + m - unit) % m;
    return other != unit ? other : units % 2 ? -1 : m;
}

int64_t fleet_rotation_links(int units) {
    return (int64_t)units * (units - 1) / 2;
}

int64_t fleet_rotation_seen(int units, int rounds) {
    const int m = fleet_rotation_whole(units);
    return (int64_t)(units / 2) * (rounds < m ? rounds : m);
}
