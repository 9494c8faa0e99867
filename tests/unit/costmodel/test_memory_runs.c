/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory against published runs. All of them ran, so they should fit. The notes of 78 have the driver's figure. */
#include <ctype.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/stats.h"
#include "costmodel/search.h"
#include "fit/interval.h"
#include "fit/published.h"
#include "records/catalog.h"
#include "unit/support/machine_json.h"

static struct fit_runs runs;

static int set_up(void **state) {
    (void)state;
    char path[RECORD_CATALOG_PATH];
    struct base_error e = {0};
    machine_json_need_catalog();
    if (record_catalog_path("runs/published.csv", path, &e) || fit_runs_read(path, &runs, &e)) fail_msg("%s", e.text);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    fit_runs_free(&runs);
    return 0;
}

static const char *cell(int row, const char *column) {
    return record_csv_cell(&runs.csv, row, record_csv_column(&runs.csv, column));
}

static bool used(const struct fit_run *run, struct model_config *c) {
    if (!run->complete || run->why || run->tier < 1 || run->tier > 2) return false;
    *c = run->job.model;
    return true;
}

/* Memory of an accelerator: from its name, or else the size that is sold. */
static double capacity(const char *accelerator) {
    static const struct {
        const char *prefix;
        double bytes;
    } sold[] = {{"A100", 80e9},   {"H100", 80e9},   {"H800", 80e9},  {"H200", 141e9},
                {"GB300", 288e9}, {"GB200", 186e9}, {"B200", 180e9}, {"MI325X", 256e9}};
    const char *gb = strstr(accelerator, "GB");
    for (const char *at = gb; at && at > accelerator && isdigit(at[-1]); at--)
        if (at - 1 == accelerator || !isdigit(at[-2])) return atof(at - 1) * (1 << 30);
    for (size_t i = 0; i < sizeof sold / sizeof *sold; i++)
        if (!strncmp(accelerator, sold[i].prefix, strlen(sold[i].prefix))) return sold[i].bytes;
    fail_msg("%s: memory unknown", accelerator);
    return 0;
}

/* The model says that some runs do not fit. These are MPT's largest micro-batches, JAX runs with unknown recompute
 * policies, and V100 runs whose activations DeepSpeed partitioned. */
static void what_ran_fits(void **state) {
    (void)state;
    int all = 0, over = 0;
    for (int i = 0; i < runs.count; i++) {
        struct model_config c;
        if (!used(&runs.run[i], &c)) continue;
        const struct cost_memory m = cost_search_memory(&c, &runs.run[i].job);
        all++;
        over += cost_memory_needed(&m) > capacity(cell(i, "accelerator"));
    }
    print_message("%d of %d runs are said not to fit\n", over, all);
    assert_true(all > 600);
    assert_true(over < 0.12 * all);
}

/* Bytes from "mem/GPU 59GB" or "mem 16GB" in the notes; 0: not noted. */
static double shown(const char *notes) {
    const char *at = strstr(notes, "mem/GPU ");
    if (at) return atof(at + 8) * 1e9;
    at = strstr(notes, "mem ");
    return at && isdigit(at[4]) ? atof(at + 4) * 1e9 : 0;
}

/* A driver's figure also counts free blocks that the allocator caches. */
static void what_drivers_showed(void **state) {
    (void)state;
    double ratio[128];
    int n = 0;
    for (int i = 0; i < runs.count && n < 128; i++) {
        struct model_config c;
        const double bytes = shown(cell(i, "notes"));
        if (bytes == 0 || !used(&runs.run[i], &c)) continue;
        const struct cost_memory m = cost_search_memory(&c, &runs.run[i].job);
        ratio[n++] = cost_memory_needed(&m) / bytes;
    }
    const double low = base_stats_quantile(ratio, n, 0.05), middle = base_stats_quantile(ratio, n, 0.5);
    const double high = base_stats_quantile(ratio, n, 0.95);
    print_message("%d runs: needed over shown %.2f, 90%% within %.2f to %.2f\n", n, middle, low, high);
    assert_true(n > 70);
    assert_true(middle > 0.85 && middle < 1);
    assert_true(low > 0.75 && high < 1.15);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_ran_fits),
        cmocka_unit_test(what_drivers_showed),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
