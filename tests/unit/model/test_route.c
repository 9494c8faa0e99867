/* SPDX-License-Identifier: Apache-2.0
 *
 * The rule that chooses experts: different ones for a token, the loads that were asked for, in any run of positions;
 * and that memory has room for the rows that come. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/buffers.h"
#include "unit/support/rig.h"

enum { MOST = 64, LAYERS = 5, POSITIONS = 300 };

/* Loads of positions [first, end), and that no token passes an expert twice. */
static void loads(const struct model_route *r, int64_t experts, int64_t active, int64_t layer, int64_t first,
                  int64_t end, int64_t rows[MOST]) {
    memset(rows, 0, MOST * sizeof *rows);
    for (int64_t t = first; t < end; t++) {
        uint64_t seen = 0;
        for (int64_t j = 0; j < active; j++) {
            const int32_t x = model_route_forced(r, experts, active, layer, t, j);
            assert_in_range(x, 0, experts - 1);
            assert_false(seen >> x & 1);
            seen |= UINT64_C(1) << x;
            rows[x]++;
        }
    }
}

/* One expert of each layer is favoured, and not the same one in all. */
static void check_loads(int64_t experts, int64_t active, double skew) {
    const struct model_route r = {true, skew, 11};
    int favoured[LAYERS] = {0}, others = 0;
    for (int64_t layer = 0; layer < LAYERS; layer++)
        for (int64_t first = 0; first < POSITIONS; first += 71)
            for (int64_t end = first + 1; end <= POSITIONS; end += 13) {
                int64_t rows[MOST];
                loads(&r, experts, active, layer, first, end, rows);
                const double all = (double)((end - first) * active), mean = all / (double)experts;
                const double other = experts > 1 ? (all - skew * mean) / (double)(experts - 1) : 0;
                int64_t most = 0;
                for (int64_t x = 1; x < experts; x++)
                    if (rows[x] > rows[most]) most = x;
                assert_true(fabs((double)rows[most] - skew * mean) < 2.5);
                for (int64_t x = 0; x < experts; x++)
                    if (x != most) assert_true(fabs((double)rows[x] - other) < 2.5);
                favoured[layer] = (int)most;
            }
    for (int layer = 1; layer < LAYERS; layer++) others += favoured[layer] != favoured[0];
    assert_true(skew < 1.5 || others > 0);
}
static void loads_are_those_asked_for(void **state) {
    (void)state;
    check_loads(8, 2, 1), check_loads(8, 2, 1.5), check_loads(8, 2, 4), check_loads(8, 1, 8), check_loads(49, 3, 2);
    check_loads(3, 3, 1), check_loads(1, 1, 1), check_loads(64, 6, 10), check_loads(5, 2, 2.5);
    check_loads(13, 3, 13 / 3.), check_loads(7, 5, 7 / 5.), check_loads(49, 5, 49 / 5.);
    const struct model_route even = {true, 1, 4}; /* exactly, if rows divide */
    int64_t rows[MOST];
    loads(&even, 8, 2, 0, 0, POSITIONS / 4 * 4, rows);
    for (int x = 0; x < 8; x++) assert_int_equal(rows[x], POSITIONS / 4);
}

/* Of every rank, whatever its sequences' halves are: no more rows than there is room for. By the router all tokens may
 * choose the same experts. */
static void rows_have_room(void **state) {
    (void)state;
    const double skews[] = {1, 1.7, 4};
    for (int i = 0; i < 3; i++)
        for (int ep = 2; ep <= 8; ep *= 2)
            for (int64_t seq = 6; seq < 60; seq += 7) {
                struct model_config c = rig_config_of("mixtral", 2, 32, 4, 53, 200);
                c.experts = c.full_experts = 8, c.own_experts = 8 / ep;
                struct model_shape s = {
                    .config = &c, .part = {.whole = &c, .expert_ranks = ep}, .batch = 3, .seq = seq};
                int64_t rows[MOST], all[MOST] = {0}, most = 0;
                s.route = (struct model_route){true, skews[i], 5};
                /* the first positions of as many sequences on each rank, which is the least even */
                loads(&s.route, 8, 2, 1, 0, seq, rows);
                for (int x = 0; x < 8; x++) all[x / c.own_experts] += 3 * ep * rows[x];
                for (int r = 0; r < ep; r++) most = all[r] > most ? all[r] : most;
                assert_true(model_expert_rows(&s) >= most && model_expert_rows(&s) <= most + 13 * 3 * 8);
                assert_true(model_route_busiest(&s.route, 8, ep) >= 1);
                s.route.forced = false;
                assert_int_equal(model_expert_rows(&s), 3 * seq * ep * (c.own_experts < 2 ? 1 : 2));
                s.part.expert_ranks = 1, c.own_experts = 8;
                assert_int_equal(model_expert_rows(&s), 3 * seq * 2);
            }
    const struct model_route twice = {true, 2, 0};
    assert_true(fabs(model_route_busiest(&twice, 8, 2) - (2 + 3 * 6.0 / 7) / 4) < 1e-12);
    assert_true(model_route_busiest(&twice, 8, 8) == 2 && model_route_busiest(&twice, 8, 1) == 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads_are_those_asked_for),
        cmocka_unit_test(rows_have_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
