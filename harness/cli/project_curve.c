/* SPDX-License-Identifier: Apache-2.0
 *
 * A curve: read, predicted, drawn, reported. */
#include "cli/project_curve.h"

#include "base/record.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "run/curve.h"

static int show(const json_t *record, const char *svg, bool json, const char *out, struct base_error *e) {
    FILE *page = json ? stderr : stdout;
    int code = svg ? cli_draw_curve(record, svg, e) : BASE_OK;
    if (!code && out) code = base_record_append(out, record, e);
    if (code) return code;
    cli_report_curve(page, record);
    if (svg) fprintf(page, "drawn into  %s\n", svg);
    if (json) cli_print_json(record);
    return BASE_OK;
}

int cli_project_curve(const char *series, const char *svg, bool json, const char *out, struct base_error *e) {
    FILE *page = json ? stderr : stdout;
    struct cli_progress progress = {.out = page, .terminal = cli_terminal(page)};
    const struct run_validate_watch watch = {cli_progress_phase, &progress};
    struct run_curve curve;
    int code = run_curve_read(&curve, series, e);
    /* whether files can be written, before anything takes time */
    if (!code && svg) code = base_record_check(svg, e);
    if (!code && svg) code = cli_draw_check(e);
    if (!code && out) code = base_record_check(out, e);
    if (!code) code = run_curve_predict(&curve, &watch, e);
    cli_progress_close(&progress);
    if (!code) {
        json_t *record = run_curve_record(&curve);
        code = show(record, svg, json, out, e);
        json_decref(record);
    }
    run_curve_close(&curve);
    return code;
}

static void print(void *context, const char *name, const char *title) {
    (void)context;
    printf("%-24s %s\n", name, title);
}

int cli_project_curves(struct base_error *e) {
    return run_curve_list(print, NULL, e);
}
