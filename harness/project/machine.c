/* SPDX-License-Identifier: Apache-2.0
 *
 * What is asked of a machine that has been read, and which there are. */
#include "project/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/record.h"
#include "base/text.h"
#include "project/machine_fields.h"

static const char *const dtypes[PROJECT_DTYPES] = {[PROJECT_FP64] = "fp64", [PROJECT_FP64_MATRIX] = "fp64_matrix",
                                                   [PROJECT_FP32] = "fp32", [PROJECT_TF32] = "tf32",
                                                   [PROJECT_FP16] = "fp16", [PROJECT_BF16] = "bf16",
                                                   [PROJECT_FP8] = "fp8"};

const char *project_dtype_name(enum project_dtype dtype) {
    return dtypes[dtype];
}

bool project_dtype_find(const char *name, enum project_dtype *dtype) {
    const int i = base_text_find(name, dtypes, PROJECT_DTYPES);
    if (i >= 0) *dtype = (enum project_dtype)i;
    return i >= 0;
}

void project_machine_close(struct project_machine *m) {
    free(m->points), free(m->messages), free(m->crowds);
    project_texts_free(m->texts);
    m->points = NULL, m->messages = NULL, m->crowds = NULL;
    m->point_count = m->message_count = m->crowd_count = 0;
    m->texts = NULL;
}

int project_machine_peak(const struct project_machine *m, enum project_dtype dtype, struct project_fact *peak,
                         struct base_error *e) {
    const struct project_accelerator *a = &m->accelerator;
    char has[96] = "";
    for (int t = 0; t < PROJECT_DTYPES; t++) {
        if (project_fact_known(&a->peak_flop_per_s[t])) base_text_append(has, sizeof has, dtypes[t]);
    }
    if (!project_fact_known(&a->peak_flop_per_s[dtype]))
        return base_fail(e, BASE_USAGE, "%s: %s has no %s; it has %s", m->name, a->title, dtypes[dtype], has);
    *peak = a->peak_flop_per_s[dtype];
    return BASE_OK;
}

struct project_fact project_machine_scale_up(const struct project_machine *m) {
    const struct project_fact *wired = &m->node.scale_up_bytes_per_s;
    return project_fact_known(wired) ? *wired : m->accelerator.scale_up_bytes_per_s;
}

struct project_fact project_machine_node_bytes_per_s(const struct project_machine *m) {
    return project_fact_product(&m->node.rails, &m->node.rail_bytes_per_s, "node.rails x node.rail_bytes_per_s");
}

/* What `each` is called with, and its caller's context. */
struct visit {
    void (*each)(void *context, const char *key, const struct project_fact *fact, const char *word);
    void *context;
};

static void visit_rows(const struct visit *v, const char *key, const struct project_rows *rows) {
    for (int i = 0; i < rows->count; i++) {
        const struct project_row *r = &rows->row[i];
        char text[PROJECT_KEY];
        snprintf(text, sizeof text, "%s: %s, %.0f accelerators, %.3g bytes", key, r->op, r->accelerators, r->bytes);
        v->each(v->context, text, &r->figure, NULL);
    }
}

static void visit_levels(const struct visit *v, const struct project_network *n) {
    for (int i = 0; i < n->level_count; i++) {
        const struct project_level *level = &n->levels[i];
        char key[2 * PROJECT_KEY];
        snprintf(key, sizeof key, "network.levels.%.64s.nodes", level->name);
        if (project_fact_known(&level->nodes)) v->each(v->context, key, &level->nodes, NULL);
        snprintf(key, sizeof key, "network.levels.%.64s.oversubscription", level->name);
        if (project_fact_known(&level->oversubscription)) v->each(v->context, key, &level->oversubscription, NULL);
    }
}

static void visit_sums(const struct visit *v, const struct project_machine *m) {
    char text[2 * PROJECT_KEY];
    for (int i = 0; i < m->cost_count; i++) {
        snprintf(text, sizeof text, "cost, %s: %.128s", m->costs[i].currency, m->costs[i].covers);
        v->each(v->context, text, &m->costs[i].amount, NULL);
    }
    for (int i = 0; i < m->queue_count; i++) {
        snprintf(text, sizeof text, "queue, wall_s: %.128s", m->queues[i].name);
        v->each(v->context, text, &m->queues[i].wall_s, NULL);
    }
}

void project_machine_each(const struct project_machine *m,
                          void (*each)(void *context, const char *key, const struct project_fact *fact,
                                       const char *word),
                          void *context) {
    const struct visit v = {each, context};
    for (int i = 0; i < project_field_count; i++) {
        const struct project_field *f = &project_fields[i];
        char key[PROJECT_KEY];
        if (f->at == PROJECT_NOWHERE) continue;
        const struct project_fact *fact = project_field_fact(f, m);
        if (!project_fact_known(fact)) continue;
        project_field_key(f, key);
        each(context, key, fact, f->rule.words ? f->rule.words[(int)fact->value] : NULL);
    }
    if (project_fact_known(&m->accelerator.gemm_tiles))
        each(context, "largest of accelerator.gemm_tiles", &m->accelerator.gemm_tiles, NULL);
    visit_levels(&v, &m->network);
    visit_rows(&v, "accelerator.scale_up.achieved", &m->accelerator.scale_up_achieved);
    visit_rows(&v, "node.achieved", &m->node.achieved);
    visit_rows(&v, "network.achieved", &m->network.achieved);
    visit_rows(&v, "facility.storage.achieved", &m->facility.storage_achieved);
    visit_sums(&v, m);
}
