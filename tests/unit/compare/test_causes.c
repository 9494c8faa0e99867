/* SPDX-License-Identifier: Apache-2.0
 *
 * Ten causes are injected into made-up launches, and at least nine are named. Ten settings that differ without effect
 * are not blamed, alone or beside a true cause; at most one is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "compare/compare.h"
#include "records/get.h"
#include "unit/support/folder.h"
#include "unit/support/machine_json.h"
#include "unit/support/made_launches.h"

enum { SEEDS = 20, LAUNCHES = 6 };

/* Compares two made sides; the record is the caller's. */
static json_t *compare(const struct made_side *base, const struct made_side *new) {
    const struct compare_options options = {.delta = 0.01};
    const char *const paths[] = {made_launches("base.jsonl", base), made_launches("new.jsonl", new)};
    enum study_verdict verdict;
    struct base_error e = {0};
    json_t *record;
    if (compare_make(paths, 2, &options, &record, &verdict, &e)) fail_msg("%s", e.text);
    return record;
}

static bool is_named(const json_t *record, const char *cause) {
    const json_t *c;
    size_t i;
    json_array_foreach(record_at(record, "result.causes"), i,
                       c) if (!strcmp(record_text(c, "cause"), cause)) return true;
    return false;
}

static size_t named_count(const json_t *record) {
    return json_array_size(record_at(record, "result.causes"));
}

/* What a cause does: the speeds of the new side, and what its records say. */
static const struct {
    const char *name;
    struct made_side new;
    struct made_change base[2]; /* what the base side's records say */
} injected[] = {
    {"instruction set",
     {.peak = 0.5,
      .matmul = 0.55,
      .passes = 0.95,
      .change = {{"machine.isa", "\"avx2\""}, {"machine.kernels.gemm", "\"avx2\""}}},
     {{0}}},
    {"BLAS",
     {.matmul = 0.7, .change = {{"machine.openblas.core", "\"Prescott\""}, {"machine.kernels.gemm", "\"openblas\""}}},
     {{"machine.kernels.gemm", "\"openblas\""}}},
    {"BLAS",
     {.matmul = 0.8,
      .change = {{"machine.blas", "{\"name\": \"MKL\", \"version\": \"2024\"}"},
                 {"machine.kernels.gemm", "\"cblas\""},
                 {"machine.openblas.core", "\"Prescott\""}}},
     {{"machine.kernels.gemm", "\"cblas\""}, {"machine.blas", "{\"name\": \"BLIS\", \"version\": \"4\"}"}}},
    {"threads", {.peak = 0.5, .matmul = 0.52, .passes = 0.8, .change = {{"layout.threads", "1"}}}, {{0}}},
    {"CPU quota",
     {.peak = 0.6,
      .matmul = 0.6,
      .passes = 0.6,
      .change = {{"machine.cpu_quota", "{\"cpus\": 1.2, \"period_s\": 0.1, \"group\": \"/g\"}"}}},
     {{0}}},
    {"huge pages", {.matmul = 0.96, .passes = 0.7, .change = {{"machine.transparent_huge_pages", "\"never\""}}}, {{0}}},
    {"governor", {.peak = 0.8, .matmul = 0.8, .passes = 0.9, .change = {{"machine.governor", "\"powersave\""}}}, {{0}}},
    {"MPI", {.communication = 0.4, .ranks = 2, .change = {{"machine.mpi", "\"MPICH 4.0\""}}}, {{0}}},
    {"operating system kernel", {.passes = 0.5, .change = {{"machine.kernel", "\"Linux 5.4\""}}}, {{0}}},
    {"CPU time stolen by the hypervisor", {.steal = 0.08}, {{0}}},
    {"memory binding", {.matmul = 0.93, .passes = 0.6, .change = {{"result.per_rank.0.bound", "false"}}}, {{0}}},
    {"stopped by a CPU quota", {.throttled = 0.2}, {{0}}},
    {"clock frequency", {.peak = 0.7, .matmul = 0.7, .passes = 0.85, .change = {{"machine.max_hz", "2.1e9"}}}, {{0}}},
};
enum { CAUSES = sizeof injected / sizeof *injected };

static json_t *inject(int cause, uint64_t seed) {
    struct made_side base = {.launches = LAUNCHES, .seed = seed, .ranks = injected[cause].new.ranks},
                     new = injected[cause].new;
    memcpy(base.change, injected[cause].base, sizeof injected[cause].base);
    new.launches = LAUNCHES, new.seed = seed + 1000;
    return compare(&base, &new);
}

static void test_causes(void **state) {
    (void)state;
    int found = 0, others = 0, all = 0;
    for (int cause = 0; cause < CAUSES; cause++) {
        int times = 0;
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            json_t *record = inject(cause, seed);
            assert_string_equal(record_text(record, "result.verdict"), "slower");
            times += is_named(record, injected[cause].name);
            others += (int)named_count(record) - is_named(record, injected[cause].name);
            json_decref(record);
        }
        print_message("%-36s named in %d of %d comparisons\n", injected[cause].name, times, SEEDS);
        found += times, all += SEEDS;
    }
    print_message("%d of %d named; %d others were\n", found, all, others);
    assert_true(10 * found >= 9 * all);
    assert_true(20 * others <= all);
}

/* Settings that differ without effect: alone (cause < 0), or beside a cause of the list above. */
static const struct {
    const char *blamed;
    int cause;
    struct made_change change;
} decoys[] = {
    {"operating system kernel", -1, {"machine.kernel", "\"Linux 5.4\""}},
    {"governor", -1, {"machine.governor", "\"powersave\""}},
    {"huge pages", -1, {"machine.transparent_huge_pages", "\"never\""}},
    {"BLAS", -1, {"machine.openblas.core", "\"Prescott\""}},
    {"MPI", -1, {"machine.mpi", "\"MPICH 4.0\""}},
    {"governor", 3, {"machine.governor", "\"powersave\""}},
    {"BLAS", 5, {"machine.openblas.core", "\"Prescott\""}},
    {"operating system kernel", 10, {"machine.kernel", "\"Linux 5.4\""}},
    {"MPI", 0, {"machine.mpi", "\"MPICH 4.0\""}},
    {"clock frequency", 1, {"machine.max_hz", "2.9e9"}},
    {"huge pages", 7, {"machine.transparent_huge_pages", "\"never\""}},
    {"firmware", 9, {"machine.firmware", "\"2.0\""}},
};
enum { DECOYS = sizeof decoys / sizeof *decoys };

static void test_decoys(void **state) {
    (void)state;
    int blamed = 0;
    for (int d = 0; d < DECOYS; d++) {
        int times = 0;
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            struct made_side base = {.launches = LAUNCHES, .seed = seed}, new = {0};
            if (decoys[d].cause >= 0) {
                new = injected[decoys[d].cause].new;
                base.ranks = new.ranks;
                memcpy(base.change, injected[decoys[d].cause].base, sizeof injected->base);
            }
            new.change[MADE_CHANGES - 1] = decoys[d].change;
            new.launches = LAUNCHES, new.seed = seed + 1000;
            json_t *record = compare(&base, &new);
            times += is_named(record, decoys[d].blamed);
            json_decref(record);
        }
        print_message("%-36s blamed in %d of %d comparisons\n", decoys[d].blamed, times, SEEDS);
        blamed += times;
    }
    assert_true(10 * blamed <= DECOYS * SEEDS / 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_causes), cmocka_unit_test(test_decoys)};
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
