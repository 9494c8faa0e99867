/* SPDX-License-Identifier: Apache-2.0
 *
 * Samples are log-normal, by a rank's own random stream. */
#include "unit/support/made_rounds.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/random.h"
#include "fleet/rotation.h"

static const double usual[FLEET_QUANTITIES] = {0.5, 1e-11, 1e-10, 1e-3};

static double normal(uint64_t seed, int stream, uint64_t index) {
    float x;
    base_random_normal(seed, BASE_STREAM_TEST + (uint64_t)stream, index, 1, &x);
    return (double)x;
}

static void fill(struct fleet *f, const struct made_rounds *made, int rank) {
    const double noise = made->noise > 0 ? made->noise : 0.02;
    const double own = exp(made->spread * normal(made->seed, 0, (uint64_t)f->rank[rank].node));
    for (int i = 0; i < f->rounds; i++) {
        struct fleet_sample *s = &f->sample[i * f->ranks + rank];
        for (int q = 0; q < FLEET_QUANTITIES; q++)
            s->seconds[q] =
                usual[q] * own * exp(noise * normal(made->seed, 1 + rank, (uint64_t)(i * FLEET_QUANTITIES + q)));
        s->partner = f->units < 2 ? -1
                                  : fleet_rotation_partner(f->units, fleet_rotation_matching(f->units, 1, i),
                                                           f->rank[rank].unit);
        if (s->partner < 0) s->seconds[FLEET_LINK] = NAN;
        s->bits = (uint64_t)i + 1;
    }
}

void made_rounds(struct fleet *f, const struct made_rounds *made) {
    const int each = made->ranks_each ? made->ranks_each : 1, rounds = made->rounds ? made->rounds : 20;
    const struct fleet_options options = {.of = made->of, .rounds = rounds, .message_bytes = 1 << 20, .seed = 1};
    struct base_error e;
    const int ranks = made->nodes * each;
    assert_int_equal(fleet_make(f, &options, ranks, made->of == FLEET_NODES ? made->nodes : ranks, &e), 0);
    f->rounds = rounds;
    for (int r = 0; r < f->ranks; r++) {
        f->rank[r] = (struct fleet_rank){.kind = "kind", .node = r / each, .threads = 1};
        f->rank[r].unit = made->of == FLEET_NODES ? r / each : r;
        snprintf(f->rank[r].host, sizeof f->rank[r].host, "n%d", r / each + 1);
    }
    fleet_link(f);
    for (int r = 0; r < f->ranks; r++) fill(f, made, r);
}

void made_slow(struct fleet *f, int rank, enum fleet_quantity quantity, double factor) {
    for (int i = 0; i < f->rounds; i++) f->sample[i * f->ranks + rank].seconds[quantity] *= factor;
}

void made_wrong(struct fleet *f, int rank, int round, uint64_t salt) {
    for (int i = round; i < f->rounds; i++) f->sample[i * f->ranks + rank].bits ^= salt << 32;
}

void made_garbled(struct fleet *f, int unit, int from_round) {
    for (int i = from_round; i < f->rounds; i++) {
        const int partner = f->sample[i * f->ranks + f->first[unit]].partner;
        if (partner < 0) continue;
        f->sample[i * f->ranks + f->first[unit]].garbled = 1;
        f->sample[i * f->ranks + f->first[partner]].garbled = 1;
    }
}

void made_kind(struct fleet *f, int rank, const char *kind) {
    snprintf(f->rank[rank].kind, sizeof f->rank[rank].kind, "%s", kind);
}
