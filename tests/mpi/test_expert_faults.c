/* SPDX-License-Identifier: Apache-2.0
 * check: ranks 4
 * check: timeout 300
 *
 * Faults of mixtures of experts and of ranks that share them out (support/layout_faults.h). */
#include "mpi/support/layout_faults.h"
#include "scalar.h"

/* Rows are at least `width` numbers; their weights one. */
static bool are_rows(const struct comm *c, const int64_t *to) {
    int64_t bytes = 0;
    for (int r = 0; r < c->size; r++) bytes += to[r];
    return bytes >= 2 * width * c->size;
}
static void rows_lost(struct comm *c, const void *to, const int64_t *n, void *from, const int64_t *m,
                      struct comm_request *request) {
    const bool lost = is_last(c) && are_rows(c, n) && calls++ % 3 == 1;
    if (lost) memset((char *)(uintptr_t)to, 0, (size_t)n[0]); /* those for the first rank */
    own[EXPERTS]->all_to_all_v_start(c, to, n, from, m, request);
}
/* What is for one rank is moved by a row. */
static void rows_moved(struct comm *c, const void *to, const int64_t *n, void *from, const int64_t *m,
                       struct comm_request *request) {
    char *x = (char *)(uintptr_t)to;
    const int64_t row = 2 * width;
    if (are_rows(c, n) && n[0] > 2 * row) memmove(x + row, x, (size_t)(n[0] - row));
    own[EXPERTS]->all_to_all_v_start(c, to, n, from, m, request);
}
static void experts_doubled(struct comm *c, void *x, int64_t n, enum kernel_dtype t, struct comm_request *request) {
    twice(x, n);
    own[SAME]->all_reduce_start(c, x, n, t, request);
}
static void experts_not_gathered(struct comm *c, void *x, int64_t n, int unit, struct comm_request *request) {
    calls++ % 4 == 2 ? none(request) : own[SAME]->all_gather_start(c, x, n, unit, request);
}
/* The only sums of so few numbers over tensor parallel ranks are the gradients of rows' weights. */
static void weights_local(struct comm *c, void *x, int64_t n, enum kernel_dtype t, struct comm_request *request) {
    n % width ? none(request) : own[TENSOR]->all_reduce_start(c, x, n, t, request);
}

static void balance_times(const struct kernel_team *team, const struct kernel_route *r, float factor) {
    float *x = (float *)(uintptr_t)r->dprobs;
    for (int64_t i = 0; i < r->rows / r->seq * r->experts; i++) x[i] *= factor;
    sound.route_backward(team, r);
}
static void balance_doubled(const struct kernel_team *team, const struct kernel_route *r) {
    balance_times(team, r, 2);
}
static void balance_lost(const struct kernel_team *team, const struct kernel_route *r) {
    balance_times(team, r, 0);
}
static void weights_not_learnt(const struct kernel_team *team, const struct kernel_route *r) {
    memset((float *)(uintptr_t)r->dweights, 0, (size_t)(r->rows * r->active) * sizeof *r->dweights);
    sound.route_backward(team, r);
}
static void not_normalised(const struct kernel_team *team, const struct kernel_route *r) {
    sound.route_forward(team, r);
    for (int64_t i = 0; i < r->rows * r->active; i++)
        r->weights[i] = r->probs[i / r->active * r->experts + r->choice[i]];
}
static void weights_of_another(const struct kernel_team *team, const struct kernel_route *r) {
    sound.route_forward(team, r);
    for (int64_t i = 0; i + 1 < r->rows * r->active; i += r->active) {
        const float first = r->weights[i];
        r->weights[i] = r->weights[i + 1], r->weights[i + 1] = first;
    }
}
/* The next expert in place of a token's first. */
static void another_expert(const struct kernel_team *team, const struct kernel_route *r) {
    sound.route_forward(team, r);
    for (int64_t i = 0; i < r->rows; i += 7) {
        int32_t *choice = r->choice + i * r->active;
        do choice[0] = (int32_t)((choice[0] + 1) % r->experts);
        while (r->active > 1 && choice[0] == choice[1]);
    }
    struct kernel_route again = *r;
    again.forced = true;
    sound.route_forward(team, &again);
}
/* As with a capacity: rows beyond it give nothing. */
static void rows_dropped(const struct kernel_team *team, const struct kernel_rows *r) {
    const size_t row = (size_t)r->cols * kernel_dtype_bytes(r->in);
    memset((char *)(uintptr_t)r->x, 0, row * (size_t)(r->rows / 8));
    sound.rows_sum(team, r);
}
static void experts_drift(const struct kernel_team *team, const struct kernel_adamw *a) {
    sound.adamw(team, a);
    if (rank_of_world >= 2 && a->n == 2 * width * width) /* of an expert's matrices alone */
        a->w[0] += 1e-6f;
}

/* A bias is for the choice alone. */
static void weights_with_bias(const struct kernel_team *team, const struct kernel_route *r) {
    sound.route_forward(team, r);
    for (int64_t i = 0; i < r->rows; i++) {
        const int32_t *choice = r->choice + i * r->active;
        float *w = r->weights + i * r->active, sum = 0;
        for (int64_t j = 0; j < r->active; j++) {
            sum += w[j] = r->probs[i * r->experts + choice[j]] + scalar_get(r->dtype, r->bias, choice[j]);
        }
        for (int64_t j = 0; j < r->active; j++) w[j] *= r->scale / sum;
    }
}
static void not_scaled(const struct kernel_team *team, const struct kernel_route *r) {
    struct kernel_route k = *r;
    k.scale = 1;
    sound.route_forward(team, &k);
}
static void bias_taken_off(const struct kernel_team *team, const struct kernel_route *r) {
    float turned[16];
    struct kernel_route k = *r;
    k.bias = turned;
    for (int64_t e = 0; e < k.experts; e++) scalar_put(k.dtype, turned, e, -scalar_get(k.dtype, r->bias, e));
    sound.route_forward(team, &k);
}
static void gradient_of_softmax(const struct kernel_team *team, const struct kernel_route *r) {
    struct kernel_route k = *r;
    k.sigmoid = false;
    sound.route_backward(team, &k);
}
/* Only the rows of experts have weights. */
static void shared_learn_nothing(const struct kernel_team *team, const struct kernel_swiglu *s) {
    if (!s->weights) memset((char *)(uintptr_t)s->dy, 0, (size_t)(s->rows * s->cols) * kernel_dtype_bytes(s->dtype));
    sound.swiglu_backward(team, s);
}

#define MIXTRAL(stage, ranks) "mixtral", 1, 0, stage, .ep = ranks
#define GLM(stage, ranks) "glm4_moe", 1, 0, stage, .ep = ranks
static const struct fault faults[] = {
    {"healthy", MIXTRAL(0, 4), .seeded = false},
    {"healthy", MIXTRAL(1, 2), .seeded = false},
    {"healthy", "mixtral", 2, 1, 3, .ep = 2, .seeded = false},
    {"healthy", "mixtral", 1, 0, 0, .cp = 2, .ep = 4, .seeded = false},
    {"healthy", GLM(3, 4), .seeded = false},
    {"healthy", "glm4_moe", 2, 1, 1, .ep = 2, .seeded = false},
    {"rows to or from experts lost", MIXTRAL(0, 4), IN(EXPERTS, all_to_all_v_start, rows_lost),
     .at = "all_to_all_v of ep"},
    {"rows moved by one on their way", MIXTRAL(0, 2), IN(EXPERTS, all_to_all_v_start, rows_moved),
     .at = "all_to_all_v of ep"},
    {"experts' gradients left out of the norm", MIXTRAL(0, 4), IN(EXPERTS, sum, norm_of_part)},
    {"experts' gradients not summed over replicas", MIXTRAL(0, 2), IN(SAME, all_reduce_start, not_summed),
     .at = "all_reduce of edp"},
    {"experts' gradients doubled", MIXTRAL(0, 2), IN(SAME, all_reduce_start, experts_doubled),
     .at = "all_reduce of edp"},
    {"some experts not gathered", MIXTRAL(3, 2), IN(SAME, all_gather_start, experts_not_gathered),
     .at = "all_gather of edp"},
    {"gradients of rows' weights of one tensor parallel rank", "mixtral", 2, 0, 0, .ep = 2,
     IN(TENSOR, all_reduce_start, weights_local)},
    {"load-balancing loss doubled", MIXTRAL(0, 1), KERNEL(route_backward, balance_doubled)},
    {"load-balancing loss without a gradient", MIXTRAL(0, 2), KERNEL(route_backward, balance_lost)},
    {"loads of a part of the sequence", "mixtral", 1, 0, 0, .cp = 2, .ep = 2, IN(CONTEXT, all_reduce_start, not_summed),
     .at = "all_reduce of cp"},
    {"router learns nothing from rows' weights", MIXTRAL(0, 2), KERNEL(route_backward, weights_not_learnt)},
    {"weights that do not add up to 1", "mixtral", 2, 0, 0, .ep = 2, KERNEL(route_forward, not_normalised)},
    {"weights of another expert", MIXTRAL(0, 1), KERNEL(route_forward, weights_of_another)},
    {"other experts than the router's", MIXTRAL(0, 4), KERNEL(route_forward, another_expert),
     .at = "the experts chosen"},
    {"rows dropped", MIXTRAL(0, 4), KERNEL(rows_sum, rows_dropped)},
    {"weights by scores with the bias", GLM(0, 2), KERNEL(route_forward, weights_with_bias)},
    {"weights that are not scaled", GLM(0, 4), KERNEL(route_forward, not_scaled)},
    {"experts chosen with the bias's sign turned", GLM(0, 2), KERNEL(route_forward, bias_taken_off),
     .at = "the experts chosen"},
    {"sigmoids with the gradient of a softmax", GLM(0, 2), KERNEL(route_backward, gradient_of_softmax)},
    {"shared experts learn nothing", "glm4_moe", 2, 0, 0, .ep = 2, KERNEL(swiglu_backward, shared_learn_nothing)},
    {"experts drift apart on replicas", MIXTRAL(0, 2), KERNEL(adamw, experts_drift), .at = "experts of rank"},
};

int main(void) {
    struct agreed a;
    agreed_open(&a);
    return judge_all(&a, faults, sizeof faults / sizeof *faults);
}
