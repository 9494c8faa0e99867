/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/support/projections.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "records/catalog.h"
#include "unit/support/machine_json.h"

struct fit_result projections_fitted;
struct model_config projections_bloom;

int projections_open(void **state) {
    (void)state;
    struct base_error e = {0};
    machine_json_need_catalog();
    if (fit_result_read(NULL, &projections_fitted, &e)) fail_msg("%s", e.text);
    projections_model("bloom-176b", &projections_bloom);
    return 0;
}

int projections_close(void **state) {
    (void)state;
    fit_result_free(&projections_fitted);
    return 0;
}

void projections_model(const char *name, struct model_config *config) {
    char path[RECORD_CATALOG_PATH];
    struct base_error e = {0};
    json_t *json = NULL;
    if (record_catalog_load("models", "--model", name, &json, path, &e)) fail_msg("%s", e.text);
    if (model_config_parse_priced(config, name, json, path, &e)) fail_msg("%s", e.text);
    json_decref(json);
}

struct machine projections_machine(const char *name) {
    struct machine m;
    struct base_error e = {0};
    if (machine_read(name, &m, &e)) fail_msg("%s", e.text);
    return m;
}

struct plan_layout projections_layout(int tp, int pp, int64_t micro_batch) {
    struct plan_layout l = plan_layout_data_parallel(0, micro_batch);
    l.tp = tp, l.pp = pp, l.zero = 1, l.recompute = PLAN_RECOMPUTE_FULL;
    return l;
}

struct projection_question projections_bloom_question(void) {
    struct projection_question q;
    projection_question_default(&projections_bloom, &q);
    q.framework = COST_MEGATRON;
    q.blocking = q.slots = true;
    q.accelerators = 384;
    q.seq = 2048, q.global_batch = 2048;
    q.choice = projections_layout(4, 12, 2);
    return q;
}

struct projection projections_make(const struct machine *m, const struct projection_question *q) {
    struct projection p;
    struct cost_search s;
    struct base_error e = {0};
    if (projection_make(m, q, &projections_fitted, 1, &p, &s, &e)) fail_msg("%s", e.text);
    cost_search_free(&s);
    return p;
}
