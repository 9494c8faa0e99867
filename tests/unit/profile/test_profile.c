/* SPDX-License-Identifier: Apache-2.0
 *
 * A profiled step: every call of the ledger is counted where the ledger says, seconds add up to no more than the
 * step's, results keep their bits, and what was wrapped is unwrapped. The trace has each call. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "profile/profile.h"
#include "records/get.h"
#include "unit/support/folder.h"
#include "unit/support/rig.h"

enum { SEED = 5, STEPS = 2 };

static struct plan_request request_of(const char *family, enum kernel_dtype dtype) {
    const struct model_config c = rig_config_of(family, 2, 64, 4, 100, 32);
    struct plan_request q = rig_request(&c, dtype, 32, 2, 2);
    q.head_rows = 48; /* 64 tokens: a full chunk and a rest */
    return q;
}

static void steps(struct rig *r, struct profile *p) {
    const struct parallel_optimizer o = parallel_optimizer_default();
    for (int i = 0; i < STEPS; i++) {
        struct parallel_result result;
        if (p) profile_step_begin(p);
        parallel_step(&r->engine, r->source, &o, i, &result);
        if (p) profile_step_end(p, &result);
    }
}

/* What the ledger has under a row's name. */
static double ledger_count(const struct plan_ledger *l, const struct profile_row *row) {
    double count = 0;
    for (int i = 0; i < l->count; i++)
        if (strstr(row->name, l->ops[i].name) && !strcmp(l->ops[i].op, row->op))
            count += l->ops[i].ragged ? NAN : l->ops[i].count; /* an expert without rows has no call */
    return count;
}

/* Tensors that AdamW updates. */
static int updated(const struct model_params *p) {
    int n = 0;
    for (int i = 0; i < p->count; i++) n += !model_tensor_counts_rows(&p->tensors[i]);
    return n;
}

static void check_rows(const struct rig *r, const struct profile *p) {
    const struct plan_ledger *l = &r->plan.ledger;
    double flop = 0, seconds = 0;
    for (int i = 0; i < p->row_count; i++) {
        const struct profile_row *row = &p->rows[i];
        const bool whole =
            !strcmp(row->op, "gemm") || !strncmp(row->op, "attention", 9) || !strncmp(row->op, "norm", 4);
        flop += row->flop;
        seconds += row->seconds;
        assert_true(row->seconds >= 0);
        if (whole && !isnan(ledger_count(l, row)) && row->calls != STEPS * ledger_count(l, row))
            fail_msg("%s: %g calls, and %g in the ledger", row->name, row->calls, STEPS * ledger_count(l, row));
    }
    assert_true(fabs(flop / (l->matmul_flop + l->attention_flop) - 1) < 1e-12);
    assert_true(p->rows[p->of_other[PROFILE_UNLISTED]].calls == 0);
    assert_true(p->rows[p->of_pass[PROFILE_adamw]].calls == STEPS * updated(&r->engine.params));
    assert_int_equal(p->steps, STEPS);
    assert_true(seconds > 0 && seconds <= p->seconds * 1.0001);
}

static void check_record(const struct profile *p) {
    json_t *o = profile_record(p);
    const json_t *rows = record_at(o, "rows"), *x;
    size_t i;
    double sum = 0, before = INFINITY;
    json_array_foreach(rows, i, x) {
        assert_true(record_real(x, "seconds") <= before); /* the slowest first */
        assert_true(record_real(x, "calls") > 0);
        sum += record_real(x, "share"), before = record_real(x, "seconds");
        if (!isnan(record_real(x, "flop_per_s")))
            assert_true(fabs(record_real(x, "of_roof") * 1e15 / record_real(x, "flop_per_s") - 1) < 1e-9);
    }
    assert_true(fabs(sum - record_real(o, "covered")) < 1e-9);
    json_decref(o);
}

static void test_rows(void **state) {
    (void)state;
    for (int i = 0; i < RIG_FAMILIES * KERNEL_DTYPE_COUNT; i++) {
        const struct plan_request q = request_of(rig_families[i / 2], (enum kernel_dtype)(i % 2));
        struct profile p;
        struct base_error e;
        struct rig plain, r;
        rig_open(&plain, &q, kernel_isa_best(), KERNEL_BACKEND_TOISE, SEED);
        steps(&plain, NULL);
        rig_open(&r, &q, kernel_isa_best(), KERNEL_BACKEND_TOISE, SEED);
        assert_int_equal(profile_open(&p, &r.engine, false, &e), BASE_OK);
        steps(&r, &p);
        assert_true(parallel_weights_mix(&r.engine, false) == parallel_weights_mix(&plain.engine, false));
        check_rows(&r, &p);
        p.peak = 1e15, p.bandwidth = 1e30; /* so that the peak binds */
        check_record(&p);
        profile_close(&p);
        assert_ptr_equal(r.engine.team.ops, &r.engine.ops);
        assert_ptr_equal(r.engine.world, &r.world);
        assert_ptr_equal(r.world.ops, plain.world.ops);
        assert_null(r.engine.team.wrapper);
        steps(&r, NULL); /* adds nothing */
        assert_int_equal(p.steps, STEPS);
        profile_free(&p);
        rig_close(&r);
        rig_close(&plain);
    }
}

/* Two matmuls of one shape are one row with both names. */
static void test_shared_shape(void **state) {
    (void)state;
    struct model_config c = rig_config_of("gpt2", 1, 64, 4, 256, 32); /* vocabulary = 4 widths */
    const struct plan_request q = rig_request(&c, KERNEL_F32, 32, 1, 1);
    struct profile p;
    struct base_error e;
    struct rig r;
    int found = 0;
    rig_open(&r, &q, kernel_isa_best(), KERNEL_BACKEND_TOISE, SEED);
    assert_int_equal(profile_open(&p, &r.engine, false, &e), BASE_OK);
    steps(&r, &p);
    for (int i = 0; i < p.row_count; i++)
        if (!strcmp(p.rows[i].name, "ffn up forward and head forward")) {
            found++;
            assert_true(p.rows[i].calls == 2 * STEPS);
            assert_true(p.rows[i].flop == 2 * 2.0 * 32 * 256 * 64);
        }
    assert_int_equal(found, 1);
    profile_close(&p), profile_free(&p);
    rig_close(&r);
}

/* Calls follow each other within the step, and only the last step's are kept. */
static void test_trace(void **state) {
    (void)state;
    const struct plan_request q = request_of("llama", KERNEL_F32);
    struct profile p;
    struct base_error e;
    struct rig r;
    rig_open(&r, &q, kernel_isa_best(), KERNEL_BACKEND_TOISE, SEED);
    assert_int_equal(profile_open(&p, &r.engine, true, &e), BASE_OK);
    steps(&r, &p);
    double calls = 0;
    for (int i = 0; i < p.row_count; i++)
        if (i != p.of_other[PROFILE_DATA] && i != p.of_other[PROFILE_PROGRESSED]) calls += p.rows[i].calls;
    assert_true(p.event_count == calls / STEPS);
    for (int i = 0; i < p.event_count; i++) {
        assert_true(p.events[i].begin <= p.events[i].end);
        assert_true(p.events[i].begin >= (i ? p.events[i - 1].end : p.began) && p.events[i].end <= p.ended);
    }
    const int count = p.event_count;
    profile_close(&p);
    assert_int_equal(profile_trace(&p, folder_name("trace.json"), &e), BASE_OK);
    json_t *o = json_load_file(folder_name("trace.json"), 0, NULL);
    const json_t *events = record_at(o, "traceEvents"), *last = json_array_get(events, json_array_size(events) - 1);
    assert_int_equal(json_array_size(events), count + 4); /* names of process and tracks, and the step */
    assert_string_equal(record_text(last, "ph"), "X");
    assert_string_equal(record_text(last, "name"), p.rows[p.events[count - 1].row].name);
    json_decref(o);
    assert_int_equal(profile_trace(&p, "/proc/nowhere/trace.json", &e), BASE_BROKEN);
    assert_non_null(strstr(e.text, "/proc/nowhere/trace.json"));
    profile_free(&p);
    rig_close(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_shared_shape),
                                       cmocka_unit_test(test_trace)};
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
