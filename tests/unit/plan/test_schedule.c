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

enum { DEVICES = 8, STEPS = 1024, CHUNKS = 8 };

/* A device as parallel/pipeline.c runs it: it awaits the gradients of two backward tasks ahead, each in the memory of
 * the task before the last, once that has been sent. Activations come into the memory of a micro-batch that has ended,
 * and leave from it: they must have been received before the next one's do. */
struct device {
    struct plan_step steps[STEPS];
    int64_t back[STEPS], forth[STEPS]; /* backward and forward tasks, by their place among `steps` */
    int64_t slots[CHUNKS], ended[CHUNKS];
    int64_t at, asked, backwards, awaited; /* awaited: forward tasks */
    bool entered;                          /* the task at `at` */
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

/* Awaits what has its memory free. */
static void await(struct run *r, int device) {
    struct device *d = &r->d[device];
    while (d->asked < d->backwards + 2 && (d->asked < 2 || sent(r, device, d->asked - 2))) d->asked++;
    for (; d->awaited < r->p.micro_batches * r->p.chunks; d->awaited++) {
        const struct plan_step *s = &d->steps[d->forth[d->awaited]];
        if (s->micro_batch - d->slots[s->chunk] >= d->ended[s->chunk]) return;
    }
}

/* Whether a device awaits, or has had, the input of a forward task. */
static bool awaits(const struct run *r, int device, int chunk, int64_t micro_batch) {
    const struct device *d = &r->d[device];
    for (int64_t k = 0; k < d->awaited; k++) {
        const struct plan_step *s = &d->steps[d->forth[k]];
        if (s->chunk == chunk && s->micro_batch == micro_batch) return true;
    }
    return false;
}

/* Whether the input of a forward task is there, and the memory of its output. */
static bool can_forward(const struct run *r, int device, const struct plan_step *s) {
    const int last = r->p.devices - 1, next = (device + 1) % r->p.devices, chunk = s->chunk + (device == last);
    const int64_t before = s->micro_batch - r->d[device].slots[s->chunk];
    if (!awaits(r, device, s->chunk, s->micro_batch)) return false;
    if (before >= 0 && chunk < r->p.chunks && !awaits(r, next, chunk, before)) return false;
    if (device == 0) return s->chunk == 0 || done(r, last, PLAN_FORWARD, s->chunk - 1, s->micro_batch);
    return done(r, device - 1, PLAN_FORWARD, s->chunk, s->micro_batch);
}

static bool can_backward(const struct run *r, int device, const struct plan_step *s) {
    const struct device *d = &r->d[device];
    if (d->asked <= d->backwards) return false;
    if (device + 1 < r->p.devices) return done(r, device + 1, PLAN_BACKWARD, s->chunk, s->micro_batch);
    return s->chunk + 1 == r->p.chunks || done(r, 0, PLAN_BACKWARD, s->chunk + 1, s->micro_batch);
}

/* Whether a device can do its next task. It awaits messages when it enters the task, and again only if the task is
 * backward and needs one. */
static bool advance(struct run *r, int device) {
    struct device *d = &r->d[device];
    const struct plan_step *s = &d->steps[d->at];
    if (d->at == r->steps) return false;
    if (!d->entered || (s->task == PLAN_BACKWARD && d->asked == d->backwards)) await(r, device);
    d->entered = true;
    if (s->task == PLAN_FORWARD && !can_forward(r, device, s)) return false;
    if (s->task == PLAN_BACKWARD && !can_backward(r, device, s)) return false;
    d->backwards += s->task == PLAN_BACKWARD;
    d->ended[s->chunk] += s->task == plan_pipeline_last(&r->p);
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
        int64_t back = 0, forth = 0;
        *d = (struct device){0};
        plan_pipeline_order(&r->p, i, d->steps);
        for (int c = 0; c < r->p.chunks; c++) d->slots[c] = plan_pipeline_slots(&r->p, i, c);
        for (int64_t s = 0; s < r->steps; s++) {
            if (d->steps[s].task == PLAN_BACKWARD) d->back[back++] = s;
            if (d->steps[s].task == PLAN_FORWARD) d->forth[forth++] = s;
        }
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
    for (int schedule = 0; schedule < PLAN_SCHEDULES; schedule++)
        for (int devices = 2; devices <= DEVICES; devices++)
            for (int chunks = 1; chunks <= (schedule == PLAN_1F1B ? 4 : 1); chunks++)
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
    for (int devices = 2; devices <= DEVICES; devices++) {
        for (int chunks = 1; chunks <= CHUNKS; chunks++) {
            r->p = (struct plan_pipeline){PLAN_GPIPE, devices, chunks, 1};
            assert_true(ends(r));
        }
        r->p = (struct plan_pipeline){PLAN_ZERO_BUBBLE, devices, 1, 1};
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

/* Each task once, and of each micro-batch forward, then backward, then weights; weights in order of micro-batch, so
 * that gradients add up as those of one rank do. */
static void test_zero_bubble_order(void **state) {
    (void)state;
    struct plan_step steps[STEPS];
    for (int devices = 1; devices <= DEVICES; devices++)
        for (int64_t micros = 1; micros <= 3 * devices; micros++)
            for (int device = 0; device < devices; device++) {
                const struct plan_pipeline p = {PLAN_ZERO_BUBBLE, devices, 1, micros};
                int64_t next[PLAN_TASKS] = {0};
                plan_pipeline_order(&p, device, steps);
                for (int64_t i = 0; i < plan_pipeline_steps(&p); i++) {
                    assert_int_equal(steps[i].micro_batch, next[steps[i].task]++);
                    assert_true(next[PLAN_FORWARD] >= next[PLAN_BACKWARD] && next[PLAN_BACKWARD] >= next[PLAN_WEIGHT]);
                }
                assert_int_equal(next[PLAN_WEIGHT], micros);
            }
}

/* No device keeps more than 1F1B's first one; what is late grows with the device. */
static void test_zero_bubble_memory(void **state) {
    (void)state;
    for (int devices = 1; devices <= DEVICES; devices++)
        for (int64_t micros = 1; micros <= 3 * devices; micros++)
            for (int device = 0; device < devices; device++) {
                const struct plan_pipeline p = {PLAN_ZERO_BUBBLE, devices, 1, micros};
                const struct plan_pipeline flow = {PLAN_1F1B, devices, 1, micros};
                assert_int_equal(plan_pipeline_slots(&p, device, 0), plan_pipeline_slots(&flow, 0, 0));
                assert_int_equal(plan_pipeline_late(&p, device, 0), device < micros ? device + 1 : micros);
                assert_int_equal(plan_pipeline_late(&flow, device, 0), 0);
            }
}

/* A schedule whose tasks take forward, backward and weight_s; without the last, backward does both. Of the slowest
 * device. */
static double played(struct run *r, double forward_s, double backward_s, double weight_s) {
    static double end[DEVICES][PLAN_TASKS][STEPS];
    const bool split = r->p.schedule == PLAN_ZERO_BUBBLE;
    const double takes[PLAN_TASKS] = {forward_s, backward_s + (split ? 0 : weight_s), weight_s};
    double now[DEVICES] = {0}, last = 0;
    assert_true(ends(r)); /* fills in the tasks */
    memset(end, 0, sizeof end);
    for (int i = 0; i < r->p.devices; i++) r->d[i].at = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (int i = 0; i < r->p.devices; i++)
            for (struct device *d = &r->d[i]; d->at < r->steps; d->at++, moved = true) {
                const struct plan_step *s = &d->steps[d->at];
                const int from = s->task == PLAN_FORWARD ? i - 1 : i + 1;
                const bool needs = s->task != PLAN_WEIGHT && from >= 0 && from < r->p.devices;
                if (needs && end[from][s->task][s->micro_batch] == 0) break;
                if (needs) now[i] = fmax(now[i], end[from][s->task][s->micro_batch]);
                end[i][s->task][s->micro_batch] = now[i] += takes[s->task];
                last = fmax(last, now[i]);
            }
    }
    return last;
}

/* The bubble that Qi et al. 2024 give in table 2: (p - 1)(tF + tB - tW) against 1F1B's (p - 1)(tF + tB + tW), if W is
 * at most as long as B. And the share that plan_pipeline_bubble says, of any number of micro-batches. */
static void test_zero_bubble(void **state) {
    (void)state;
    struct run *r = calloc(1, sizeof *r);
    assert_non_null(r);
    for (int devices = 2; devices <= DEVICES; devices++)
        for (int64_t micros = 1; micros <= 3 * devices; micros++) {
            const double p = devices, m = (double)micros, f = 1, b = 1.25, w = 0.75;
            r->p = (struct plan_pipeline){PLAN_ZERO_BUBBLE, devices, 1, micros};
            if (micros >= devices)
                assert_true(fabs(played(r, f, b, w) - m * (f + b + w) - (p - 1) * (f + b - w)) < 1e-9);
            assert_true(fabs(1 - 3 * m / played(r, 1, 1, 1) - plan_pipeline_bubble(&r->p)) < 1e-12);
            r->p.schedule = PLAN_1F1B;
            assert_true(fabs(played(r, f, b, w) - (m + p - 1) * (f + b + w)) < 1e-9);
        }
    free(r);
}

static void test_words(void **state) {
    (void)state;
    enum plan_schedule found;
    for (int i = 0; plan_schedule_word(i); i++)
        assert_true(!plan_schedule_find(plan_schedule_word(i), &found) || found == plan_schedule_of(i));
    assert_string_equal(plan_schedule_word(PLAN_SCHEDULES), "zb");
    assert_int_equal(plan_schedule_of(PLAN_SCHEDULES), PLAN_ZERO_BUBBLE);
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
        cmocka_unit_test(test_zero_bubble_order),
        cmocka_unit_test(test_zero_bubble_memory),
        cmocka_unit_test(test_zero_bubble),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
