/* SPDX-License-Identifier: Apache-2.0
 *
 * The rounds cost a rank of 10,000 as many messages and collectives as one of 4: a counting communicator plays it. And
 * the work of a rank: reproducible bits, which a fault changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "comm/count.h"
#include "fleet/bits.h"
#include "inject/inject.h"
#include "unit/support/rig.h"

enum { ROUNDS = 6, THREADS = 1 };
static const struct kernel_caches caches = {.l1 = 32 << 10, .l2 = 512 << 10, .l3 = 1 << 20};

/* A rank's work on a tiny model. */
struct work {
    struct plan plan;
    struct kernel_ops ops;
    struct measure_placement place;
    struct fleet_local local;
};

static void work_open(struct work *w) {
    struct base_error e = {0};
    const struct model_config config = rig_config(1, 32, 2, 64, 16);
    struct plan_request request = rig_request(&config, KERNEL_F32, 8, 1, 1);
    request.caches = caches;
    *w = (struct work){.place = {.threads = THREADS, .cpus_per_thread = 1}};
    base_cpus_mask(&w->place.cpus);
    kernel_select(&w->ops, kernel_isa_best(), KERNEL_BACKEND_TOISE);
    assert_int_equal(plan_make(&w->plan, &request, &e), 0);
    assert_int_equal(fleet_local_open(&w->local, &w->plan, &w->ops, &w->place, 1, 1, &e), 0);
}

/* Counts the calls of a world of so many ranks, of which this process plays the one in the middle. */
static void play(struct work *w, int ranks, struct comm_counter *counter, int *garbled) {
    struct base_error e = {0};
    struct comm alone, world;
    struct fleet f;
    const struct fleet_options options = {.of = FLEET_RANKS, .rounds = ROUNDS, .message_bytes = 64, .seed = 1};
    comm_serial(&alone);
    comm_count_wrap(&world, counter, &alone, COMM_ONLY_COUNT);
    world.size = ranks, world.rank = ranks / 2, world.nodes = ranks, world.node = ranks / 2;
    assert_int_equal(fleet_open(&f, &options, &(struct fleet_rank){.host = "n1", .kind = "kind"}, &world, &e), 0);
    for (int r = 0; r < ranks; r++) f.rank[r].unit = f.rank[r].node = r; /* only this rank's copies were gathered */
    fleet_link(&f);
    assert_int_equal(fleet_run(&f, &w->local, &world, &e), 0);
    assert_int_equal(f.rounds, ROUNDS);
    *garbled = fleet_at(&f, 0, 0)->garbled;
    fleet_close(&f);
}

static void rounds_do_not_grow(void **state) {
    (void)state;
    struct work w;
    struct comm_counter few, many;
    int garbled;
    work_open(&w);
    play(&w, 4, &few, &garbled);
    play(&w, 10000, &many, &garbled);
    for (int op = 0; op < COMM_OPS; op++) assert_int_equal(few.op[op].calls, many.op[op].calls);
    assert_int_equal(many.op[COMM_SEND_START].calls, 5 * ROUNDS);
    assert_int_equal(many.op[COMM_SEND_START].bytes, few.op[COMM_SEND_START].bytes);
    assert_int_equal(many.op[COMM_ALL_GATHER].calls, ROUNDS + 1);
    assert_true(many.op[COMM_ALL_GATHER].bytes <= 128 * (ROUNDS + 1)); /* of one rank */
    assert_int_equal(garbled, 8);                                      /* as nothing arrived */
    fleet_local_close(&w.local);
}

/* The trajectory of some steps from the beginning. */
static uint64_t steps(struct work *w, double *seconds) {
    uint64_t trajectory = FLEET_TRAJECTORY, bits;
    double others;
    fleet_local_start(&w->local);
    for (int i = 0; i < ROUNDS; i++) {
        *seconds = fleet_local_step(&w->local, i, &bits, &others);
        assert_true(*seconds > 0 && others >= 0 && others <= 1);
        trajectory = fleet_trajectory_add(trajectory, bits);
    }
    return trajectory;
}

static void steps_repeat_their_bits(void **state) {
    (void)state;
    struct work w;
    struct base_error e;
    double seconds;
    work_open(&w);
    fleet_local_warm(&w.local);
    const uint64_t right = steps(&w, &seconds);
    assert_true(right == steps(&w, &seconds));
    assert_int_equal(inject_open("bitflip:rank=0,step=3", 0, 0, 2, 1, &e), 0);
    assert_true(right != steps(&w, &seconds));
    assert_true(right == steps(&w, &seconds)); /* once */
    assert_int_equal(inject_open(NULL, 0, 0, 2, 1, &e), 0);
    fleet_local_close(&w.local);
}

/* Times are what the fault makes of them: at least so much longer than the work took by itself. */
static void faults_stretch(void **state) {
    (void)state;
    struct work w;
    struct base_error e;
    work_open(&w);
    fleet_local_warm(&w.local);
    double core = INFINITY, memory = INFINITY, slow_core = INFINITY, slow_memory = INFINITY;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(inject_open(NULL, 0, 0, 2, 1, &e), 0);
        core = fmin(core, fleet_local_core(&w.local)), memory = fmin(memory, fleet_local_memory(&w.local));
        assert_int_equal(inject_open("slow:rank=0,factor=8+memory:rank=0,factor=8", 0, 0, 2, 1, &e), 0);
        slow_core = fmin(slow_core, fleet_local_core(&w.local));
        slow_memory = fmin(slow_memory, fleet_local_memory(&w.local));
    }
    assert_true(slow_core > 4 * core && slow_memory > 4 * memory);
    assert_int_equal(inject_open(NULL, 0, 0, 2, 1, &e), 0);
    fleet_local_close(&w.local);
}

/* Ranks whose steps may have other bits are of other kinds. */
static void kinds(void **state) {
    (void)state;
    char first[FLEET_KIND], other[FLEET_KIND];
    json_t *machine = json_pack("{s:s}", "fingerprint", "0123456789abcdef");
    struct kernel_caches shares = caches;
    struct kernel_team team = {.threads = 2, .caches = &shares};
    fleet_kind(machine, &team, KERNEL_ISA_COUNT - 1, first);
    fleet_kind(machine, &team, KERNEL_ISA_COUNT - 1, other);
    assert_string_equal(first, other);
    assert_int_equal(strspn(first, "0123456789abcdef"), 16);
    team.threads = 3;
    fleet_kind(machine, &team, KERNEL_ISA_COUNT - 1, other);
    assert_string_not_equal(first, other);
    team.threads = 2;
    fleet_kind(machine, &team, (enum kernel_isa)0, other);
    assert_string_not_equal(first, other);
    shares.l3 /= 2;
    fleet_kind(machine, &team, KERNEL_ISA_COUNT - 1, other);
    assert_string_not_equal(first, other);
    json_decref(machine);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounds_do_not_grow),
        cmocka_unit_test(steps_repeat_their_bits),
        cmocka_unit_test(faults_stretch),
        cmocka_unit_test(kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
