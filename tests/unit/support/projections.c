/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/support/projections.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/catalog.h"
#include "unit/support/machine_json.h"

struct project_fitted projections_fitted;
struct model_config projections_bloom;

int projections_open(void **state) {
    (void)state;
    struct base_error e = {0};
    machine_json_need_catalog();
    if (project_fitted_read(NULL, &projections_fitted, &e)) fail_msg("%s", e.text);
    projections_model("bloom-176b", &projections_bloom);
    return 0;
}

int projections_close(void **state) {
    (void)state;
    project_fitted_free(&projections_fitted);
    return 0;
}

void projections_model(const char *name, struct model_config *config) {
    char path[BASE_CATALOG_PATH];
    struct base_error e = {0};
    json_t *json = NULL;
    if (base_catalog_load("models", "--model", name, &json, path, &e)) fail_msg("%s", e.text);
    if (model_config_parse_priced(config, name, json, path, &e)) fail_msg("%s", e.text);
    json_decref(json);
}

struct project_machine projections_machine(const char *name) {
    struct project_machine m;
    struct base_error e = {0};
    if (project_machine_read(name, &m, &e)) fail_msg("%s", e.text);
    return m;
}

struct project_question projections_bloom_question(void) {
    struct project_question q;
    project_question_default(&projections_bloom, &q);
    q.era = PROJECT_MEGATRON;
    q.blocking = q.slots = true;
    q.accelerators = 384;
    q.seq = 2048, q.global_batch = 2048;
    q.choice = (struct project_choice){4, 12, 1, 1, 1, 0, PLAN_RECOMPUTE_FULL, PLAN_1F1B, 2, 1};
    return q;
}

struct project_projection projections_make(const struct project_machine *m, const struct project_question *q) {
    struct project_projection p;
    struct project_search s;
    struct base_error e = {0};
    if (project_projection_make(m, q, &projections_fitted, 1, &p, &s, &e)) fail_msg("%s", e.text);
    project_search_free(&s);
    return p;
}
