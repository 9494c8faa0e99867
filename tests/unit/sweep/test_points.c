/* SPDX-License-Identifier: Apache-2.0
 *
 * Which points of a curve run, which are skipped with which counts instead, and in which order they run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "records/get.h"
#include "sweep/order.h"

static struct sweep_request strong(int64_t batch, int units, int ranks) {
    return (struct sweep_request){
        .mode = RECORD_STRONG, .unit = RECORD_NODE, .batch = batch, .units = units, .ranks = ranks};
}
static struct sweep_request weak(int64_t batch, int units, int ranks) {
    return (struct sweep_request){
        .mode = RECORD_WEAK, .unit = RECORD_NODE, .batch = batch, .units = units, .ranks = ranks};
}

static struct sweep_points points_of(const struct sweep_request *r, const char *list) {
    struct sweep_points p = {0};
    struct base_error e = {0};
    int n[SWEEP_POINTS_MOST] = {0}, count = 0;
    int code = list ? sweep_points_read(list, "--counts", n, &count, &e) : BASE_OK;
    if (!code) code = sweep_points_make(&p, r, n, count, &e);
    if (code) fail_msg("%s", e.text);
    return p;
}

/* Refused with words that hold these. */
static void refused(const struct sweep_request *r, const char *list, const char *words) {
    struct sweep_points p = {0};
    struct base_error e = {0};
    int n[SWEEP_POINTS_MOST] = {0}, count = 0;
    int code = list ? sweep_points_read(list, "--counts", n, &count, &e) : BASE_OK;
    if (!code) code = sweep_points_make(&p, r, n, count, &e);
    assert_int_equal(code, BASE_USAGE);
    if (!strstr(e.text, words)) fail_msg("\"%s\" lacks \"%s\"", e.text, words);
}

static void usual_counts(void **state) {
    (void)state;
    const struct sweep_request eight = strong(512, 8, 4), six = strong(512, 6, 1), one = strong(512, 1, 2);
    struct sweep_points p = points_of(&eight, NULL);
    assert_int_equal(p.count, 4);
    assert_int_equal(sweep_points_running(&p), 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(p.at[i].n, 1 << i);
        assert_int_equal(p.at[i].ranks, 4 << i);
        assert_int_equal(p.at[i].global_batch, 512);
    }
    assert_int_equal(sweep_points_share(&p), 16);
    p = points_of(&six, NULL); /* 1, 2, 4 and 6, over which 512 does not divide */
    assert_int_equal(p.count, 4);
    assert_int_equal(p.at[3].n, 6);
    assert_int_equal(sweep_points_running(&p), 3);
    assert_int_equal(sweep_points_share(&p), 128);
    p = points_of(&one, NULL);
    assert_int_equal(p.count, 1);
}

static void skipped_with_the_nearest(void **state) {
    (void)state;
    const struct sweep_request r = strong(512, 600, 1);
    const struct sweep_points p = points_of(&r, "600,3,48,512");
    assert_int_equal(sweep_points_running(&p), 1);
    assert_int_equal(sweep_points_base(&p), 2);
    assert_int_equal(p.at[0].n, 3);
    assert_true(p.at[0].below == 2 && p.at[0].above == 4);
    assert_non_null(strstr(p.at[0].skipped, "512 sequences do not divide over 3 ranks"));
    assert_non_null(strstr(p.at[0].skipped, "of nodes, the nearest that divide are 2 and 4"));
    assert_true(p.at[1].below == 32 && p.at[1].above == 64);
    assert_true(p.at[3].below == 512 && p.at[3].above == 0);
    assert_non_null(strstr(p.at[3].skipped, "the nearest that divides is 512"));
}

static void skipped_as_json(void **state) {
    (void)state;
    struct sweep_request r = strong(8, 9, 1);
    const struct sweep_points p = points_of(&r, "2,3,9");
    json_t *all = sweep_points_skipped(&p);
    assert_int_equal(json_array_size(all), 2);
    const json_t *three = json_array_get(all, 0), *nine = json_array_get(all, 1);
    assert_int_equal(record_whole(three, "n"), 3);
    assert_int_equal(json_array_size(record_at(three, "nearest")), 2);
    assert_int_equal(json_array_size(record_at(nine, "nearest")), 1);
    assert_string_equal(record_text(nine, "why"), p.at[2].skipped);
    json_decref(all);
}

/* Ranks of a node, and a micro-batch that is asked for, must divide too. */
static void micro_batches_divide(void **state) {
    (void)state;
    struct sweep_request r = strong(48, 16, 2);
    r.micro_batch = 4;
    const struct sweep_points p = points_of(&r, NULL);
    assert_int_equal(p.count, 5);
    assert_true(!p.at[0].skipped[0] && !p.at[1].skipped[0]); /* 2 and 4 ranks: 24 and 12 sequences each */
    assert_non_null(strstr(p.at[2].skipped, "in micro-batches of 4"));
    assert_true(p.at[2].below == 3 && p.at[2].above == 6);
    assert_true(p.at[4].below == 6 && p.at[4].above == 0);
    assert_int_equal(sweep_points_share(&p), 12);
}

static void weak_grows(void **state) {
    (void)state;
    const struct sweep_request r = weak(64, 6, 4);
    const struct sweep_points p = points_of(&r, "1,3,6");
    assert_int_equal(sweep_points_running(&p), 3);
    assert_int_equal(p.at[1].global_batch, 192);
    assert_int_equal(p.at[2].global_batch, 384);
    assert_int_equal(sweep_points_share(&p), 16);
}

static void bad_requests(void **state) {
    (void)state;
    const struct sweep_request r = strong(512, 8, 1), w = weak(64, 8, 3), none = strong(5, 4, 2);
    struct sweep_request micro = weak(64, 8, 2);
    refused(&r, "1,16", "--counts: 16 nodes, but this run has 8");
    refused(&r, "2,4,2", "--counts: 2 is given twice");
    refused(&r, "1,x", "\"x\" is not a whole number");
    refused(&r, "1,2.5", "\"2.5\" is not a whole number");
    refused(&r, "0", "\"0\" is not a whole number from 1");
    refused(&r, "-1", "\"-1\" is not");
    refused(&r, "99999999999", "is not a whole number from 1");
    refused(&r, ",", "not a list");
    refused(&w, NULL, "the 64 sequences of each node do not divide over its 3 ranks");
    refused(&none, NULL, "no point can run: 1 node: 5 sequences do not divide over 2 ranks; of nodes, none divides");
    micro.micro_batch = 5;
    refused(&micro, NULL, "leave out --mbs");
}

static void every_repeat_has_every_point(void **state) {
    (void)state;
    enum { REPEATS = 40 };
    const struct sweep_request r = strong(512, 12, 1);
    const struct sweep_points p = points_of(&r, "1,2,3,4,8,12"); /* 3 and 12 are skipped */
    struct sweep_order o;
    struct base_error e = {0};
    bool last_first = false, moved = false;
    assert_int_equal(sweep_order_make(&o, &p, r.units, REPEATS, 7, &e), BASE_OK);
    assert_int_equal(o.count, 4 * REPEATS);
    assert_int_equal(o.runs[0].point, 0); /* the base */
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        int seen = 0, base = 0;
        for (int i = 0; i < 4; i++)
            if (o.runs[4 * repeat + i].point == 0) base = o.runs[4 * repeat + i].first;
        for (int i = 0; i < 4; i++) {
            const struct sweep_run *run = &o.runs[4 * repeat + i];
            assert_true(run->repeat == repeat + 1 && run->order == i + 1);
            assert_false(p.at[run->point].skipped[0]);
            assert_true(run->first >= 0 && run->first + p.at[run->point].n <= r.units);
            if (r.units % p.at[run->point].n == 0) assert_int_equal(run->first % p.at[run->point].n, 0);
            assert_true(base >= run->first && base < run->first + p.at[run->point].n); /* they share its unit */
            moved = moved || run->first;
            seen |= 1 << run->point;
        }
        assert_int_equal(seen, 1 | 2 | 8 | 16);
        last_first = last_first || o.runs[4 * repeat].point == 4;
    }
    assert_true(last_first && moved);
    /* of four points one is predicted, the largest, and the first repeat ends with it */
    assert_true(o.larger == 1 && o.ahead == 3 && o.runs[3].point == 4);
    sweep_order_close(&o);
}

static void the_seed_is_the_order(void **state) {
    (void)state;
    const struct sweep_request r = strong(512, 64, 1);
    const struct sweep_points p = points_of(&r, NULL);
    struct sweep_order a, b, other;
    struct base_error e = {0};
    assert_int_equal(sweep_order_make(&a, &p, r.units, 5, 1, &e), BASE_OK);
    assert_int_equal(sweep_order_make(&b, &p, r.units, 5, 1, &e), BASE_OK);
    assert_int_equal(sweep_order_make(&other, &p, r.units, 5, 2, &e), BASE_OK);
    const size_t bytes = (size_t)a.count * sizeof *a.runs;
    assert_memory_equal(a.runs, b.runs, bytes);
    assert_true(memcmp(a.runs, other.runs, bytes) != 0);
    assert_true(a.larger == 2 && a.ahead == 5); /* of seven points */
    for (int i = 0; i < a.ahead; i++) assert_true(a.runs[i].point < 5);
    for (int i = a.ahead; i < 7; i++) assert_true(a.runs[i].point >= 5);
    sweep_order_close(&a), sweep_order_close(&b), sweep_order_close(&other);
}

static void one_point_is_not_predicted(void **state) {
    (void)state;
    const struct sweep_request r = strong(512, 1, 1);
    const struct sweep_points p = points_of(&r, NULL);
    struct sweep_order o;
    struct base_error e = {0};
    assert_int_equal(sweep_order_make(&o, &p, r.units, 3, 1, &e), BASE_OK);
    assert_true(o.count == 3 && o.larger == 0 && o.ahead == o.count);
    sweep_order_close(&o);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(usual_counts),
        cmocka_unit_test(skipped_with_the_nearest),
        cmocka_unit_test(skipped_as_json),
        cmocka_unit_test(micro_batches_divide),
        cmocka_unit_test(weak_grows),
        cmocka_unit_test(bad_requests),
        cmocka_unit_test(every_repeat_has_every_point),
        cmocka_unit_test(the_seed_is_the_order),
        cmocka_unit_test(one_point_is_not_predicted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
