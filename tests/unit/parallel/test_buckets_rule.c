/* SPDX-License-Identifier: Apache-2.0
 *
 * The exact messages that buckets send for given ranges, recorded by a comm of two ranks that sends nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "comm/comm.h"
#include "parallel/buckets.h"

enum { TOTAL = 1000, NOTES = 2000 };

static float grads[TOTAL];
static struct note { int64_t low, high; } notes[NOTES];
static int noted, in_flight;
static bool deferred; /* nothing may start before the last range */

static void note_start(struct comm *c, void *buffer, int64_t n, enum kernel_dtype dtype, struct comm_request *r) {
    const float *x = buffer;
    (void)c;
    assert_int_equal(dtype, KERNEL_F32);
    notes[noted++] = (struct note){x - grads, x - grads + n};
    in_flight++;
    r->active = true;
}
static void note_wait(struct comm *c, struct comm_request *r) {
    (void)c;
    assert_true(r->active); /* each is waited for exactly once */
    r->active = false;
    in_flight--;
}
static const struct comm_ops noting = {.all_reduce_start = note_start, .wait = note_wait};

/* Reports the ranges to buckets of `bucket` elements on `size` ranks; returns what finish returns. */
static bool report(int size, int64_t bucket, int count, const struct note *ranges) {
    struct comm w = {.ops = &noting, .size = size};
    struct parallel_buckets b;
    noted = in_flight = 0;
    assert_int_equal(parallel_buckets_open(&b, &w, grads, TOTAL, bucket, NULL), 0);
    b.deferred = deferred;
    parallel_buckets_begin(&b);
    for (int i = 0; i < count; i++) parallel_buckets_ready(&b, ranges[i].low, ranges[i].high - ranges[i].low);
    const int before = noted;
    const bool whole = parallel_buckets_finish(&b);
    assert_true(!deferred || before == 0 || count > PARALLEL_STRETCHES); /* more than it can hold start early */
    assert_int_equal(in_flight, 0);
    parallel_buckets_close(&b);
    return whole;
}

static void assert_sent(int count, const struct note *expected) {
    assert_int_equal(noted, count);
    for (int i = 0; i < count; i++) {
        assert_int_equal(notes[i].low, expected[i].low);
        assert_int_equal(notes[i].high, expected[i].high);
    }
}

static void downwards_and_adjacent(void **state) {
    (void)state;
    const struct note ranges[] = {{950, 1000}, {700, 950}, {600, 700}, {400, 600}, {100, 400}, {0, 100}};
    assert_true(report(2, 300, 6, ranges));
    assert_sent(4, (const struct note[]){{700, 1000}, {400, 700}, {100, 400}, {0, 100}});
    assert_true(report(2, 301, 6, ranges));
    assert_sent(3, (const struct note[]){{600, 1000}, {100, 600}, {0, 100}});
    assert_true(report(2, TOTAL, 6, ranges));
    assert_sent(1, (const struct note[]){{0, 1000}});
    assert_true(report(2, 10 * TOTAL, 6, ranges));
    assert_sent(1, (const struct note[]){{0, 1000}});
    assert_true(report(2, 1, 6, ranges));
    assert_int_equal(noted, 6);
    assert_true(report(1, 300, 6, ranges));
    assert_int_equal(noted, 0);
}

static void gaps_are_closed_later(void **state) {
    (void)state;
    const struct note ranges[] = {{800, 900}, {0, 50},    {600, 700}, {950, 1000},
                                  {700, 800}, {900, 950}, {50, 50},   {50, 600}};
    assert_true(report(2, 300, 8, ranges));
    assert_sent(3, (const struct note[]){{600, 900}, {0, 600}, {900, 1000}});
}

static void a_range_missing_or_twice_is_noticed(void **state) {
    (void)state;
    assert_false(report(2, 300, 1, (const struct note[]){{1, 1000}}));
    assert_false(report(2, 300, 2, (const struct note[]){{0, 1000}, {0, 1}}));
    assert_false(report(1, 300, 0, NULL));
}

/* Every second element first: more stretches than are kept, then more messages than requests. */
static void many_small_stretches(void **state) {
    (void)state;
    static struct note ranges[TOTAL];
    static char seen[TOTAL];
    for (int i = 0; i < TOTAL; i++) {
        const int at = i < TOTAL / 2 ? 2 * i : 2 * (i - TOTAL / 2) + 1;
        ranges[i] = (struct note){at, at + 1};
    }
    assert_true(report(2, TOTAL, TOTAL, ranges));
    assert_true(noted > PARALLEL_STRETCHES + 1);
    memset(seen, 0, sizeof seen);
    for (int i = 0; i < noted; i++)
        for (int64_t k = notes[i].low; k < notes[i].high; k++) seen[k]++;
    for (int k = 0; k < TOTAL; k++) assert_int_equal(seen[k], 1);
}

/* The same messages in the same order, but not before the end; also more than can be held. */
static void deferred_alike(void **state) {
    (void)state;
    static struct note ranges[TOTAL], sent[NOTES];
    for (int64_t bucket = 1; bucket <= TOTAL + 1; bucket += 37)
        for (int width = 1; width <= 100; width += 33) {
            int count = 0;
            for (int low = 0; low < TOTAL; low += 2 * width) ranges[count++] = (struct note){low, low + width};
            for (int low = width; low < TOTAL; low += 2 * width) ranges[count++] = (struct note){low, low + width};
            for (int i = 0; i < count; i++)
                if (ranges[i].high > TOTAL) ranges[i].high = TOTAL;
            assert_true(report(2, bucket, count, ranges));
            const int before = noted;
            memcpy(sent, notes, sizeof sent);
            deferred = true;
            const bool whole = report(2, bucket, count, ranges);
            deferred = false;
            assert_true(whole);
            assert_sent(before, sent);
        }
}

static void at_most_as_many_as_said(void **state) {
    (void)state;
    for (int64_t bucket = 1; bucket <= TOTAL + 1; bucket += 13)
        for (int width = 1; width <= 200; width += 33) {
            struct note ranges[TOTAL];
            int count = 0;
            for (int high = TOTAL; high > 0; high -= width, count++)
                ranges[count] = (struct note){high > width ? high - width : 0, high};
            assert_true(report(2, bucket, count, ranges));
            assert_true(noted <= parallel_buckets_count(TOTAL, bucket));
        }
    assert_int_equal(parallel_buckets_count(1000, 300), 4);
    assert_int_equal(parallel_buckets_count(900, 300), 3);
    assert_int_equal(parallel_buckets_count(1, 300), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(downwards_and_adjacent),
        cmocka_unit_test(gaps_are_closed_later),
        cmocka_unit_test(a_range_missing_or_twice_is_noticed),
        cmocka_unit_test(many_small_stretches),
        cmocka_unit_test(at_most_as_many_as_said),
        cmocka_unit_test(deferred_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
