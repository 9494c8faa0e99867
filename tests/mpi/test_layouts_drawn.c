/* SPDX-License-Identifier: Apache-2.0
 * check: full
 * check: ranks 2 4 6 8 12 16 64
 * check: timeout 1800
 *
 * Layouts drawn at random pass the checks of support/layouts.h: some 200 over all numbers of ranks. SEED=N repeats a
 * draw, DRAWS=N sets how many of this number of ranks. */
#include "base/clock.h"
#include "mpi/support/layouts.h"

static uint64_t draw(uint64_t seed, uint64_t *at, uint64_t n) {
    return base_random_u64(seed, BASE_STREAM_TEST, (*at)++) % n;
}

/* A random divisor of n, at most `most`. */
static int divisor(uint64_t seed, uint64_t *at, int n, int most) {
    for (;;) {
        const int d = 1 + (int)draw(seed, at, (uint64_t)(n < most ? n : most));
        if (n % d == 0) return d;
    }
}

static struct plan_request drawn(const struct comm *world, uint64_t seed, uint64_t *at) {
    struct layout l;
    l.tp = divisor(seed, at, world->size, 8);
    l.cp = divisor(seed, at, world->size / l.tp, 4);
    l.pp = divisor(seed, at, world->size / l.tp / l.cp, 8);
    l.sp = l.tp > 1 && draw(seed, at, 2);
    l.zero = (int)draw(seed, at, 4);
    l.vp = l.pp > 1 ? 1 + (int)draw(seed, at, 3) : 1;
    l.schedule = l.pp > 1 ? (int)draw(seed, at, PLAN_SCHEDULES) : PLAN_1F1B;
    l.micro = 1 + (int64_t)draw(seed, at, 2);
    l.accumulation = l.vp > 1 ? l.pp * (1 + (int64_t)draw(seed, at, 2)) : 1 + (int64_t)draw(seed, at, 5);
    const int64_t heads = l.tp * (draw(seed, at, 2) ? 2 : 4), stages = l.pp * l.vp;
    const int64_t layers = stages + (int64_t)draw(seed, at, (uint64_t)stages) + (stages == 1 ? 3 : 0);
    struct model_config c = rig_config_of(rig_families[draw(seed, at, RIG_FAMILIES)], layers, 12 * heads, heads,
                                          97 + (int64_t)draw(seed, at, 40), layout_seq(&l) + 20);
    c.tied = c.tied || draw(seed, at, 2);
    c.parameters = model_params_count(&c);
    const int dtype = (int)draw(seed, at, KERNEL_DTYPE_COUNT);
    return layout_request(world, &l, &c, (enum kernel_dtype)dtype, (int)draw(seed, at, 9));
}

int main(void) {
    struct agreed a;
    uint64_t at = 0;
    agreed_open(&a);
    const char *asked = getenv("SEED"), *many = getenv("DRAWS");
    uint64_t seed = asked ? strtoull(asked, NULL, 10) : (uint64_t)(base_clock_now() * 1e3);
    a.world.ops->broadcast(&a.world, &seed, sizeof seed);
    const int draws = many ? atoi(many) : a.world.size > 16 ? 3 : 34;
    if (!a.world.rank) printf("SEED=%llu, %d draws\n", (unsigned long long)seed, draws), fflush(stdout);
    for (int done = 0; done < draws;) {
        const struct plan_request q = drawn(&a.world, seed, &at), small = gate_shrink(&q);
        struct plan plan;
        if (plan_make(&plan, &q, NULL) || plan_make(&plan, &small, NULL)) continue;
        layout_check(&a, &q);
        done++;
    }
    return agreed_close(&a);
}
