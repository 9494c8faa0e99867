/* SPDX-License-Identifier: Apache-2.0
 *
 * Queries on a machine that has been read: peaks, bandwidths, all its facts. */
#include "machine/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "machine/fields.h"

static const char *const dtypes[MACHINE_DTYPES] = {[MACHINE_FP64] = "fp64", [MACHINE_FP64_MATRIX] = "fp64_matrix",
                                                   [MACHINE_FP32] = "fp32", [MACHINE_TF32] = "tf32",
                                                   [MACHINE_FP16] = "fp16", [MACHINE_BF16] = "bf16",
                                                   [MACHINE_FP8] = "fp8",   [MACHINE_FP4] = "fp4"};

const char *machine_dtype_name(enum machine_dtype dtype) {
    return dtypes[dtype];
}

bool machine_dtype_find(const char *name, enum machine_dtype *dtype) {
    const int i = base_text_find(name, dtypes, MACHINE_DTYPES);
    if (i >= 0) *dtype = (enum machine_dtype)i;
    return i >= 0;
}

void machine_close(struct machine *m) {
    free(m->points), free(m->messages), free(m->contentions);
    machine_texts_free(m->texts);
    m->points = NULL, m->messages = NULL, m->contentions = NULL;
    m->point_count = m->message_count = m->contention_count = 0;
    m->texts = NULL;
}

int machine_peak(const struct machine *m, enum machine_dtype dtype, struct machine_fact *peak, struct base_error *e) {
    const struct machine_accelerator *a = &m->accelerator;
    char has[96] = "";
    for (int t = 0; t < MACHINE_DTYPES; t++) {
        if (machine_fact_known(&a->peak_flop_per_s[t])) base_text_append(has, sizeof has, dtypes[t]);
    }
    if (!machine_fact_known(&a->peak_flop_per_s[dtype]))
        return base_fail(e, BASE_USAGE, "%s: %s has no %s; it has %s", m->name, a->title, dtypes[dtype], has);
    *peak = a->peak_flop_per_s[dtype];
    return BASE_OK;
}

const struct machine_fact *machine_class(const struct machine *m) {
    return machine_fact_known(&m->node.class) ? &m->node.class : &m->accelerator.class;
}

struct machine_fact machine_scale_up(const struct machine *m) {
    const struct machine_fact *wired = &m->node.scale_up_bytes_per_s;
    return machine_fact_known(wired) ? *wired : m->accelerator.scale_up_bytes_per_s;
}

struct machine_fact machine_node_bytes_per_s(const struct machine *m) {
    return machine_fact_product(&m->node.rails, &m->node.rail_bytes_per_s, "node.rails x node.rail_bytes_per_s");
}

/* The callback of machine_each and its context. */
struct visit {
    void (*each)(void *context, const char *key, const struct machine_fact *fact, const char *word);
    void *context;
};

static void visit_rows(const struct visit *v, const char *key, const struct machine_rows *rows) {
    for (int i = 0; i < rows->count; i++) {
        const struct machine_row *r = &rows->row[i];
        char text[MACHINE_KEY];
        snprintf(text, sizeof text, "%s: %s, %.0f accelerators, %.3g bytes", key, r->op, r->accelerators, r->bytes);
        v->each(v->context, text, &r->figure, NULL);
    }
}

static void visit_levels(const struct visit *v, const struct machine_network *n) {
    for (int i = 0; i < n->level_count; i++) {
        const struct machine_level *level = &n->levels[i];
        char key[2 * MACHINE_KEY];
        snprintf(key, sizeof key, "network.levels.%.64s.nodes", level->name);
        if (machine_fact_known(&level->nodes)) v->each(v->context, key, &level->nodes, NULL);
        snprintf(key, sizeof key, "network.levels.%.64s.oversubscription", level->name);
        if (machine_fact_known(&level->oversubscription)) v->each(v->context, key, &level->oversubscription, NULL);
    }
}

static void visit_sums(const struct visit *v, const struct machine *m) {
    char text[2 * MACHINE_KEY];
    for (int i = 0; i < m->cost_count; i++) {
        snprintf(text, sizeof text, "cost, %s: %.128s", m->costs[i].currency, m->costs[i].covers);
        v->each(v->context, text, &m->costs[i].amount, NULL);
    }
    for (int i = 0; i < m->queue_count; i++) {
        snprintf(text, sizeof text, "queue, wall_s: %.128s", m->queues[i].name);
        v->each(v->context, text, &m->queues[i].wall_s, NULL);
    }
}

void machine_each(const struct machine *m,
                  void (*each)(void *context, const char *key, const struct machine_fact *fact, const char *word),
                  void *context) {
    const struct visit v = {each, context};
    for (int i = 0; i < machine_field_count; i++) {
        const struct machine_field *f = &machine_fields[i];
        char key[MACHINE_KEY];
        if (f->at == MACHINE_NOWHERE) continue;
        const struct machine_fact *fact = machine_field_fact(f, m);
        if (!machine_fact_known(fact)) continue;
        machine_field_key(f, key);
        each(context, key, fact, f->rule.words ? f->rule.words[(int)fact->value] : NULL);
    }
    if (machine_fact_known(&m->accelerator.gemm_tiles))
        each(context, "largest of accelerator.gemm_tiles", &m->accelerator.gemm_tiles, NULL);
    visit_levels(&v, &m->network);
    visit_rows(&v, "accelerator.scale_up.achieved", &m->accelerator.scale_up_achieved);
    visit_rows(&v, "node.achieved", &m->node.achieved);
    visit_rows(&v, "network.achieved", &m->network.achieved);
    visit_rows(&v, "facility.storage.achieved", &m->facility.storage_achieved);
    visit_sums(&v, m);
}
