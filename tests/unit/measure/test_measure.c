/* SPDX-License-Identifier: Apache-2.0
 *
 * Peaks, interference and samples, with fake kernels, ranks and /proc texts whose answers are known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <malloc.h>
#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/clock.h"
#include "measure/interference.h"
#include "measure/peak.h"
#include "measure/samples.h"

enum { THREADS = 3, RANKS = 4 };

/* A kernel that does at most two operations a microsecond on one thread, and none on the others. Records who ran. */
static int calls_of[THREADS], working;

static double two_per_microsecond(enum kernel_dtype dtype, int64_t rounds) {
    double end = base_clock_now() + 1e-6 * (double)rounds;
    while (base_clock_now() < end) continue;
    calls_of[omp_get_thread_num()]++;
    assert_int_equal(dtype, KERNEL_BF16);
    return omp_get_thread_num() == working ? 2.0 * (double)rounds : 0.0;
}

/* A world whose ranks are all like this one */
static int barriers;

static void count_barrier(struct comm *world) {
    (void)world;
    barriers++;
}

static void times_ranks(struct comm *world, double *x, int n) {
    assert_int_equal(barriers > 0, 1);
    for (int i = 0; i < n; i++) x[i] *= world->size;
}

static const struct comm_ops alike = {.sum = times_ranks, .barrier = count_barrier};

static size_t allocated(void) {
    return mallinfo2().uordblks;
}

static void peaks_add_up(void **state) {
    (void)state;
    const struct kernel_ops ops = {.peak = two_per_microsecond};
    const struct kernel_team team = {.ops = &ops, .threads = THREADS};
    struct comm world = {.ops = &alike, .size = RANKS};
    struct measure_peak peak;
    measure_peak_open(&peak, &team, KERNEL_BF16, 1, 0);
    assert_in_range(peak.rounds, 1, (int)(1e6 * MEASURE_PEAK_S) + 1); /* a round takes a microsecond at least */
    assert_true(peak.own_best == 0.0 && peak.best == 0.0);

    memset(calls_of, 0, sizeof calls_of);
    size_t before = allocated();
    double greatest = 0.0;
    for (int window = 1; window <= THREADS; window++) {
        working = window - 1; /* one thread after the other, so that the sum includes all */
        double all = measure_peak_window(&peak, &world);
        assert_int_equal(barriers, window);
        assert_true(all > 0.0 && all <= RANKS * 2e6);
        greatest = fmax(greatest, all);
        assert_true(peak.best == greatest && RANKS * peak.own_best == greatest);
    }
    assert_true(allocated() == before);
    /* every thread runs in every window, for as many slices as the others */
    for (int t = 0; t < THREADS; t++) assert_int_equal(calls_of[t], calls_of[0]);
    assert_true(calls_of[0] >= THREADS && calls_of[0] % THREADS == 0);
}

/* Threads that share a CPU: each sees the full rate in a slice, but the CPU has it only once. */
static void peaks_of_shared_cpus(void **state) {
    (void)state;
    const struct kernel_ops ops = {.peak = two_per_microsecond};
    const struct kernel_team team = {.ops = &ops, .threads = 1};
    struct comm world = {.ops = &alike, .size = RANKS};
    struct measure_peak peak;
    working = 0;
    measure_peak_open(&peak, &team, KERNEL_BF16, 0.25, 0);
    assert_true(measure_peak_window(&peak, &world) <= RANKS * 2e6 * 0.25);
}

/* A quota of half a CPU stops a loop for as long as it ran. Operations over wall time are half of those over CPU time,
 * and the best slice must not count. */
static double began_s;

static double half_of_the_time(enum kernel_dtype dtype, int64_t rounds) {
    const double period = 0.02;
    (void)dtype;
    for (double end = base_clock_now() + 1e-6 * (double)rounds; base_clock_now() < end;) continue;
    while (fmod(base_clock_now() - began_s, period) > period / 2) continue;
    return 2.0 * (double)rounds;
}

static void peaks_under_a_quota(void **state) {
    (void)state;
    const struct kernel_ops ops = {.peak = half_of_the_time};
    const struct kernel_team team = {.ops = &ops, .threads = 1};
    struct comm world = {.ops = &alike, .size = 1};
    struct measure_peak peak;
    const struct base_cgroup_quota half = {.cpus = 0.5, .period_s = 0.1}, eight = {.cpus = 8, .period_s = 0.1},
                                   none = {0};
    assert_true(measure_quota_period(&half, 1) == 0.1 && measure_quota_period(&eight, 9) == 0.1);
    assert_true(measure_quota_period(&eight, 8) == 0 && measure_quota_period(&none, 64) == 0); /* cannot bind */
    assert_true(fabs(measure_quota_window(0.1) - 0.5) < 1e-12);                                /* five periods */
    assert_true(fabs(measure_quota_window(0.003) - 0.102) < 1e-9); /* whole periods, and 0.1 s */
    assert_true(fabs(measure_quota_window(1.0) - 5.0) < 1e-12);
    began_s = base_clock_now();
    measure_peak_open(&peak, &team, KERNEL_BF16, 0.25, 0.02); /* the window already contains its share */
    const double start = base_clock_now(), rate = measure_peak_window(&peak, &world), took = base_clock_now() - start;
    assert_true(took >= 0.14); /* two periods of lead, five of window */
    assert_true(rate > 0 && rate < 1.3e6);
    assert_true(peak.best == rate && peak.own_best == rate);
}

static void nominal_peaks(void **state) {
    (void)state;
    static const struct {
        const char *vendor;
        int family, model;
        const char *name;
        double f32, bf16;
    } rows[] = {
        {"AuthenticAMD", 0x17, 0x01, "AMD EPYC 7601", 16, 0},
        {"AuthenticAMD", 0x17, 0x31, "AMD EPYC 7742", 32, 0},
        {"AuthenticAMD", 0x19, 0x11, "AMD EPYC 9654", 32, 0},
        {"AuthenticAMD", 0x1a, 0x02, "AMD EPYC 9755", 64, 0},
        {"AuthenticAMD", 0x1a, 0x24, "AMD Ryzen AI 9 HX 370", 0, 0},
        {"GenuineIntel", 6, 0x55, "Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz", 64, 0},
        {"GenuineIntel", 6, 0x55, "Intel(R) Xeon(R) Silver 4214 CPU @ 2.20GHz", 0, 0},
        {"GenuineIntel", 6, 0x8f, "Intel(R) Xeon(R) Platinum 8480+", 64, 1024},
        {"", -1, -1, "", 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double f32 =
            measure_peak_flop_per_cycle(rows[i].vendor, rows[i].family, rows[i].model, rows[i].name, KERNEL_F32);
        double bf16 =
            measure_peak_flop_per_cycle(rows[i].vendor, rows[i].family, rows[i].model, rows[i].name, KERNEL_BF16);
        assert_true(f32 == rows[i].f32 && bf16 == rows[i].bf16);
    }
    struct kernel_ops ops;
    kernel_select(&ops, KERNEL_ISA_ref, KERNEL_BACKEND_TOISE);
    struct base_topology t = {.cores = 4, .cpus = 8, .max_hz = 0.0};
    assert_true(measure_peak_nominal(&t, &ops, KERNEL_F32, 8) == 0.0); /* no clock, no nominal peak */
    t.max_hz = 2e9;
    double four = measure_peak_nominal(&t, &ops, KERNEL_F32, 4);
    assert_true(measure_peak_nominal(&t, &ops, KERNEL_F32, 8) == four); /* two threads share a core's pipes */
    assert_true(measure_peak_nominal(&t, &ops, KERNEL_F32, 2) == four / 2);
    assert_true(measure_peak_nominal(&t, &ops, KERNEL_BF16, 4) == four); /* emulated here */
}

/* Fields: user nice system idle iowait irq softirq steal guest guest_nice */
static const char stat_text[] = "cpu  999 999 999 999 999 999 999 999 999 999\n"
                                "cpu0 100 10 20 5000 7 1 2 30 50 5\n"
                                "cpu2 200 20 40 6000 8 3 4 60 70 7\n"
                                "cpu10 7 0 0 0 0 0 0 1 0 0\n"
                                "intr 12345 1 2 3\n";

static void proc_stat_is_read_by_cpu(void **state) {
    (void)state;
    static const struct {
        int count, cpu[3];
        double busy, steal;
    } rows[] = {
        {1, {0}, 133, 30},        {1, {2}, 267, 60},       {2, {0, 10}, 140, 31},
        {3, {0, 2, 10}, 407, 91}, {3, {1, 2, 3}, 267, 60}, {0, {0}, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct base_cpus cpus = {.count = rows[i].count};
        memcpy(cpus.cpu, rows[i].cpu, sizeof rows[i].cpu);
        struct measure_interference got = {0};
        measure_interference_parse(stat_text, &cpus, 1.0, &got);
        assert_true(got.busy_s == rows[i].busy && got.steal_s == rows[i].steal);
    }
    struct base_cpus cpus = {.count = 1, .cpu = {10}};
    struct measure_interference got;
    measure_interference_parse("", &cpus, 1.0, &got);
    assert_true(got.busy_s == 0.0);
    measure_interference_parse("cpu0 1 2", &cpus, 1.0, &got); /* cut short */
    assert_true(got.busy_s == 0.0);
}

static void differences_and_marks(void **state) {
    (void)state;
    struct measure_interference before = {
        .steal_s = 1, .busy_s = 10, .own_s = 4, .major_faults = 2, .numa_misses = 7, .hz = 3e9};
    struct measure_interference after = {
        .steal_s = 1.5, .busy_s = 14, .own_s = 7, .major_faults = 2, .numa_misses = 7, .hz = 2e9};
    struct measure_interference d = measure_interference_difference(&after, &before);
    assert_true(d.steal_s == 0.5 && d.busy_s == 4.0 && d.own_s == 3.0 && d.other_s == 1.0 && d.hz == 2e9);
    assert_int_equal(measure_interference_marks(&d, 10.0, 2), MEASURE_MARK_STEAL | MEASURE_MARK_LOAD);
    assert_int_equal(measure_interference_marks(&d, 100.0, 1), 0); /* 0.5% stolen, 1% used by others */
    d = (struct measure_interference){.other_s = 0.02, .steal_s = 0.02};
    assert_int_equal(measure_interference_marks(&d, 0.1, 2), 0); /* one tick a CPU may be rounding */
    d = (struct measure_interference){.major_faults = 1};
    assert_int_equal(measure_interference_marks(&d, 1.0, 2), MEASURE_MARK_FAULTS);
    d = (struct measure_interference){.numa_misses = 1};
    assert_int_equal(measure_interference_marks(&d, 1.0, 2), MEASURE_MARK_NUMA);
    after.own_s = 20; /* the two clocks of the kernel differ a little: never below 0 */
    assert_true(measure_interference_difference(&after, &before).other_s == 0.0);
}

static void stops_of_a_quota_are_read(void **state) {
    (void)state;
    struct measure_interference got = {0};
    measure_interference_parse_group("nr_periods 96\nnr_throttled 14\nthrottled_time 478000000\nnr_bursts 0\n", &got);
    assert_true(got.throttled_periods == 14 && fabs(got.throttled_s - 0.478) < 1e-12); /* v1, nanoseconds */
    measure_interference_parse_group("usage_usec 9\nnr_periods 5\nnr_throttled 2\nthrottled_usec 1500000\n", &got);
    assert_true(got.throttled_periods == 16 && fabs(got.throttled_s - 1.978) < 1e-12); /* the group above, v2 */
    measure_interference_parse_group("usage_usec 9\nuser_usec 5\n", &got);
    measure_interference_parse_group("", &got);
    assert_true(got.throttled_periods == 16);
    struct measure_interference before = {.throttled_periods = 14, .throttled_s = 0.5}, sum = {.hz = 3e9};
    const struct measure_interference d = measure_interference_difference(&got, &before);
    assert_int_equal(d.throttled_periods, 2);
    assert_int_equal(measure_interference_marks(&d, 1.0, 2), MEASURE_MARK_THROTTLED);
    measure_interference_add(&sum, &d), measure_interference_add(&sum, &d);
    assert_true(sum.throttled_periods == 4 && fabs(sum.throttled_s - 2 * d.throttled_s) < 1e-12 && sum.hz == 0);
}

static void watches_read_this_machine(void **state) {
    (void)state;
    struct base_cpus mask;
    struct measure_watch watch;
    struct measure_interference before, after = {0};
    base_cpus_mask(&mask);
    assert_int_equal(measure_watch_open(&watch, &mask, NULL), 0);
    size_t held = allocated();
    measure_watch_read(&watch, &before);
    volatile char pages[64 * 4096]; /* some work and some page faults */
    while (measure_interference_difference(&after, &before).own_s < 0.03) {
        for (size_t i = 0; i < sizeof pages; i += 4096) pages[i] = (char)i;
        measure_watch_read(&watch, &after);
    }
    assert_true(allocated() == held);
    struct measure_interference d = measure_interference_difference(&after, &before);
    assert_true(d.own_s >= 0.03 && d.busy_s >= 0.0 && d.steal_s >= 0.0);
    assert_true(d.voluntary_switches >= 0 && d.involuntary_switches >= 0 && d.minor_faults > 0);
    if (before.busy_s == 0.0) print_message("SKIP: busy time: /proc/stat cannot be read\n");
    measure_watch_close(&watch);
    measure_watch_read(
        &(struct measure_watch){.stat = -1, .vmstat = -1, .clock = -1, .buffer = (char[1]){0}, .size = 1}, &after);
    assert_true(after.busy_s == 0.0 && after.hz == 0.0 && after.numa_misses == 0); /* nothing readable: zeros */
}

static double at(const json_t *object, const char *name, size_t i) {
    const json_t *value = json_array_get(json_object_get(object, name), i);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static void samples_are_kept_and_written(void **state) {
    (void)state;
    static const char *const names[] = {"forward", "backward"};
    struct measure_samples samples;
    assert_int_equal(measure_samples_open(&samples, 3, 2, names, NULL), 0);
    json_t *empty = measure_samples_json(&samples);
    assert_int_equal(json_array_size(json_object_get(empty, "step_s")), 0);
    json_decref(empty);

    struct measure_interference d = {.steal_s = 0.25, .minor_faults = 9, .throttled_periods = 3};
    assert_true(measure_samples_add(&samples, 100.0, 2.0, (const double[]){0.5, 1.5}, &d,
                                    MEASURE_MARK_STEAL | MEASURE_MARK_THROTTLED));
    assert_true(measure_samples_add(&samples, 102.5, 1.0, (const double[]){0.25, 0.75}, NULL, 0));
    assert_true(measure_samples_add(&samples, 104.0, 1.0, (const double[]){NAN, 1.0}, NULL, 0));
    assert_false(measure_samples_add(&samples, 105.0, 1.0, (const double[]){0, 1}, NULL, 0));
    assert_int_equal(samples.count, 3);

    json_t *json = measure_samples_json(&samples), *phases = json_object_get(json, "phase_s");
    json_t *interference = json_object_get(json, "interference"), *marks = json_object_get(json, "marks");
    assert_true(at(json, "step_s", 0) == 2.0 && at(json, "step_s", 1) == 1.0);
    assert_true(at(json, "start_s", 0) == 0.0 && at(json, "start_s", 1) == 2.5);
    assert_true(at(phases, "forward", 1) == 0.25 && at(phases, "backward", 0) == 1.5);
    assert_true(json_is_null(json_array_get(json_object_get(phases, "forward"), 2)));
    assert_true(at(interference, "steal_s", 0) == 0.25 && at(interference, "steal_s", 1) == 0.0);
    assert_true(json_integer_value(json_array_get(json_object_get(interference, "minor_faults"), 0)) == 9);
    assert_string_equal(json_string_value(json_array_get(json_array_get(marks, 0), 0)), "steal");
    assert_string_equal(json_string_value(json_array_get(json_array_get(marks, 0), 1)), "throttled");
    assert_true(json_integer_value(json_array_get(json_object_get(interference, "throttled_periods"), 0)) == 3);
    assert_int_equal(json_array_size(json_array_get(marks, 1)), 0);
    json_decref(json);
    measure_samples_close(&samples);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(peaks_add_up),
        cmocka_unit_test(peaks_of_shared_cpus),
        cmocka_unit_test(peaks_under_a_quota),
        cmocka_unit_test(nominal_peaks),
        cmocka_unit_test(proc_stat_is_read_by_cpu),
        cmocka_unit_test(differences_and_marks),
        cmocka_unit_test(stops_of_a_quota_are_read),
        cmocka_unit_test(watches_read_this_machine),
        cmocka_unit_test(samples_are_kept_and_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
