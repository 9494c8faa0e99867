/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tree of sums asks of sizes and layouts. */
#include "plan/leaves.h"

#include <stdio.h>

/* What leaves divide, so that each layout's sums are nodes of their tree. */
static int check_leaves(const struct plan_request *r, struct base_error *e) {
    const struct plan_layout *l = &r->layout;
    const struct model_config *c = &r->config;
    const int leaves = l->reproducible;
    const struct {
        int64_t count;
        const char *what;
        bool given; /* by a flag */
    } divided[] = {{r->global_batch, "sequences of --gbs", true},
                   {r->seq, "tokens of --seq", true},
                   {c->heads, "heads", false},
                   {c->kv_heads, "key/value heads", false},
                   {c->ffn, "columns of the MLP", false}};
    for (size_t i = 0; i < sizeof divided / sizeof *divided; i++) {
        const long long n = divided[i].count;
        if (n % leaves)
            return base_fail(e, BASE_USAGE, "--reproducible %d does not divide the %lld %s; take %s%lld", leaves, n,
                             divided[i].what, divided[i].given ? "a multiple of " : "",
                             divided[i].given ? leaves : n & -n);
    }
    if (!plan_layout_fills(c, leaves)) {
        int take = leaves / 2;
        while (!plan_layout_fills(c, take)) take /= 2;
        return base_fail(e, BASE_USAGE, "--reproducible %d leaves parts of the vocabulary's %lld words empty; take %d",
                         leaves, (long long)c->vocab, take);
    }
    return BASE_OK;
}

int plan_leaves_check(const struct plan_request *r, struct base_error *e) {
    const struct plan_layout *l = &r->layout;
    const int leaves = l->reproducible;
    const int64_t micros = r->global_batch / l->dp / l->micro_batch;
    if (!leaves) return BASE_OK;
    if (leaves < 0 || leaves > MODEL_LEAVES || (leaves & (leaves - 1)))
        return base_fail(e, BASE_USAGE, "--reproducible %d: take a power of two up to %d", leaves, (int)MODEL_LEAVES);
    const bool powers = !(l->tp & (l->tp - 1)) && !(l->dp & (l->dp - 1));
    const char *const larger = powers && l->tp <= MODEL_LEAVES && l->dp <= MODEL_LEAVES ? ", or a larger R" : "";
    if (leaves % l->tp || leaves % l->dp)
        return base_fail(
            e, BASE_USAGE,
            "--reproducible %d is of a power of two of tensor and of data parallel ranks, up to %d of each, "
            "and this layout has %d and %d; take such ones%s",
            leaves, leaves, l->tp, l->dp, larger);
    if (r->config.experts)
        return base_fail(e, BASE_USAGE, "--reproducible is of dense models, and %s has experts; leave it out",
                         r->config.name);
    if (l->cp > 1)
        return base_fail(e, BASE_USAGE, "--reproducible is of whole sequences, which --cp cuts; leave out one of them");
    char one[64] = ""; /* stages would wait for each other with one micro-batch */
    if (l->pp == 1)
        snprintf(one, sizeof one, ", or one micro-batch a rank: --mbs %lld", (long long)(micros * l->micro_batch));
    if (l->zero > 1 && micros > 1)
        return base_fail(e, BASE_USAGE,
                         "--zero %d sums gradients over ranks in each of %lld micro-batches, which --reproducible adds "
                         "up first; take --zero 1%s",
                         l->zero, (long long)micros, one);
    return check_leaves(r, e);
}

struct model_tree plan_leaves_tree(const struct plan_request *r) {
    const int leaves = r->layout.reproducible;
    if (!leaves) return (struct model_tree){0};
    return (struct model_tree){leaves, leaves / r->layout.tp, leaves / r->layout.dp, r->global_batch / leaves};
}

int64_t plan_leaves_head_rows(const struct plan_request *r) {
    const int64_t tokens = r->layout.micro_batch * (r->seq / r->layout.cp);
    int64_t rows = r->head_rows ? r->head_rows : PLAN_HEAD_ROWS;
    if (rows > tokens) rows = tokens;
    return r->layout.reproducible && rows > r->seq ? rows / r->seq * r->seq : rows;
}

struct plan_chunks plan_leaves_head_chunks(const struct plan *p) {
    const int64_t all = p->shape.batch * p->shape.seq, h = p->shape.head_rows;
    const int64_t t = p->shape.tree.leaves && h < p->shape.seq ? p->shape.seq : all; /* of which there is one rest */
    return (struct plan_chunks){h, t % h, (double)(all / t * (t / h)), t % h ? (double)(all / t) : 0};
}

int64_t plan_leaves_levels(const struct plan *p) {
    return p->shape.tree.leaves ? model_tree_levels(p->shape.tree.blocks) : 1;
}
