/* SPDX-License-Identifier: Apache-2.0
 *
 * Schedules: every task once, and in an order that ends even if no message leaves before its receiver waits for it.
 * The activations that a device keeps, and the bubble, are those of the papers. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "plan/schedule.h"

enum { DEVICES = 8, STEPS = 1024 };

/* A device as parallel/pipeline.c runs it: it awaits the gradients of two backward tasks ahead, each in the memory of
 * the task before the last, once that has been sent. */
struct device {
    struct plan_step steps[STEPS];
    int64_t back[STEPS]; /* backward tasks, by their place among `steps` */
    int64_t at, asked, backwards;
    bool entered; /* the task at `at` */
};

struct run {
    struct plan_pipeline p;
    struct device d[DEVICES];
    int64_t steps;
};

/* The place of a device's task among its backward tasks; -1: it has no such task. */
static int64_t place_of(const struct run *r, int device, int chunk, int64_t micro_batch) {
    const struct device *d = &r->d[device];
    for (int64_t k = 0; k < r->p.micro_batches * r->p.chunks; k++) {
        const struct plan_step *s = &d->steps[d->back[k]];
        if (s->chunk == chunk && s->micro_batch == micro_batch) return k;
    }
    return -1;
}

/* Whether backward task k of a device has been done, and its gradient is awaited by the stage before. */
static bool sent(const struct run *r, int device, int64_t k) {
    const struct plan_step *s = &r->d[device].steps[r->d[device].back[k]];
    const int before = (device + r->p.devices - 1) % r->p.devices, chunk = s->chunk - (device == 0);
    if (r->d[device].backwards <= k) return false;
    return chunk < 0 || r->d[before].asked > place_of(r, before, chunk, s->micro_batch);
}

static bool done(const struct run *r, int device, enum plan_task task, int chunk, int64_t micro_batch) {
    const struct device *d = &r->d[device];
    for (int64_t i = 0; i < d->at; i++)
        if (d->steps[i].task == task && d->steps[i].chunk == chunk && d->steps[i].micro_batch == micro_batch)
            return true;
    return false;
}

/* Awaits the gradients whose memory is free. */
static void await(struct run *r, int device) {
    struct device *d = &r->d[device];
    while (d->asked < d->backwards + 2 && (d->asked < 2 || sent(r, device, d->asked - 2))) d->asked++;
}

/* Whether a device can do its next task. It awaits gradients when it enters the task, and again only if the task is
 * backward and needs one. */
static bool advance(struct run *r, int device) {
    struct device *d = &r->d[device];
    const struct plan_step *s = &d->steps[d->at];
    const int last = r->p.devices - 1, chunks = r->p.chunks;
    if (d->at == r->steps) return false;
    if (!d->entered || (s->task == PLAN_BACKWARD && d->asked == d->backwards)) await(r, device);
    d->entered = true;
    if (s->task == PLAN_FORWARD) {
        if (device == 0 ? s->chunk > 0 && !done(r, last, PLAN_FORWARD, s->chunk - 1, s->micro_batch)
                        : !done(r, device - 1, PLAN_FORWARD, s->chunk, s->micro_batch))
            return false;
    } else {
        if (d->asked <= d->backwards) return false;
        if (device == last ? s->chunk + 1 < chunks && !done(r, 0, PLAN_BACKWARD, s->chunk + 1, s->micro_batch)
                           : !done(r, device + 1, PLAN_BACKWARD, s->chunk, s->micro_batch))
            return false;
        d->backwards++;
    }
    d->at++;
    d->entered = false;
    return true;
}

/* Whether all devices do all their tasks. */
static bool ends(struct run *r) {
    r->steps = plan_pipeline_steps(&r->p);
    assert_true(r->steps <= STEPS);
    for (int i = 0; i < r->p.devices; i++) {
        struct device *d = &r->d[i];
        int64_t k = 0;
        *d = (struct device){0};
        plan_pipeline_order(&r->p, i, d->steps);
        for (int64_t s = 0; s < r->steps; s++)
            if (d->steps[s].task == PLAN_BACKWARD) d->back[k++] = s;
    }
    bool moved = true, all = true;
    while (moved) {
        moved = false;
        for (int i = 0; i < r->p.devices; i++)
            while (advance(r, i)) moved = true;
    }
    for (int i = 0; i < r->p.devices; i++) all = all && r->d[i].at == r->steps;
    return all;
}

static void test_no_deadlock(void **state) {
    (void)state;
    struct run *r = calloc(1, sizeof *r);
    assert_non_null(r);
    for (int schedule = PLAN_GPIPE; schedule <= PLAN_1F1B; schedule++)
        for (int devices = 2; devices <= DEVICES; devices++)
            for (int chunks = 1; chunks <= (schedule == PLAN_GPIPE ? 1 : 4); chunks++)
                for (int64_t micros = 1; micros <= 3 * devices; micros++) {
                    r->p = (struct plan_pipeline){(enum plan_schedule)schedule, devices, chunks, micros};
                    if (plan_pipeline_check(&r->p, NULL)) continue;
                    if (!ends(r))
                        fail_msg("%s of %d devices, %d chunks, %d micro-batches stops",
                                 plan_schedule_name(r->p.schedule), devices, chunks, (int)micros);
                }
    /* which is why training refuses it; and that this test can fail */
    r->p = (struct plan_pipeline){PLAN_GPIPE, 2, 2, 4};
    assert_false(ends(r));
    free(r);
}

/* One micro-batch alone passes all chunks in any case: the gate does so. */
static void test_one_micro_batch(void **state) {
    (void)state;
    struct run *r = calloc(1, sizeof *r);
    assert_non_null(r);
    for (int devices = 2; devices <= DEVICES; devices++)
        for (int chunks = 1; chunks <= 8; chunks++) {
            r->p = (struct plan_pipeline){PLAN_GPIPE, devices, chunks, 1};
            assert_true(ends(r));
        }
    free(r);
}

static void test_slots(void **state) {
    (void)state;
    const struct plan_pipeline gpipe = {PLAN_GPIPE, 4, 1, 6}, flow = {PLAN_1F1B, 4, 1, 6}, few = {PLAN_1F1B, 4, 1, 2};
    const struct plan_pipeline interleaved = {PLAN_1F1B, 4, 2, 8};
    for (int device = 0; device < 4; device++) {
        assert_int_equal(plan_pipeline_slots(&gpipe, device, 0), 6);
        assert_int_equal(plan_pipeline_slots(&flow, device, 0), 4 - device);
        assert_int_equal(plan_pipeline_slots(&few, device, 0), device == 3 ? 1 : 2);
        int64_t sum = 0;
        for (int chunk = 0; chunk < 2; chunk++) sum += plan_pipeline_slots(&interleaved, device, chunk);
        assert_true(sum >= plan_pipeline_in_flight(&interleaved, device));
    }
}

static void test_bubble(void **state) {
    (void)state;
    assert_true(plan_pipeline_bubble(&(struct plan_pipeline){PLAN_1F1B, 1, 1, 4}) == 0);
    assert_true(fabs(plan_pipeline_bubble(&(struct plan_pipeline){PLAN_1F1B, 4, 1, 9}) - 0.25) < 1e-12);
    assert_true(fabs(plan_pipeline_bubble(&(struct plan_pipeline){PLAN_1F1B, 4, 3, 4}) - 0.2) < 1e-12);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_deadlock),
        cmocka_unit_test(test_one_micro_batch),
        cmocka_unit_test(test_slots),
        cmocka_unit_test(test_bubble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
