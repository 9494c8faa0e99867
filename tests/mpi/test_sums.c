/* SPDX-License-Identifier: Apache-2.0
 * check: ranks 1 2 3 4
 *
 * Sums in BF16, beside those in FP32: within their bound of FP64, and with the same bits on all ranks. They are exact
 * where at most one addition rounds, and NaN and infinities are those of IEEE-754. Lengths are around those at which
 * messages are cut. Groups sum at once, in both dtypes. */
#include <math.h>
#include <string.h>

#include "mpi/support/agreed.h"
#include "mpi/support/sent.h"
#include "scalar.h"

enum { SEGMENT = 1 << 17, EDGE = 32, FLIGHT = 4, PATTERNS = 1 << 16 };

/* Rank `rank`'s addends to sum number `which`. */
static void fill(enum kernel_dtype t, void *x, int64_t n, int which, int rank) {
    float *wide = malloc(((size_t)n + 1) * sizeof *wide);
    agreed_fill(wide, n, which, rank);
    for (int64_t i = 0; i < n; i++) scalar_put(t, x, i, wide[i]);
    free(wide);
}

/* Whether elements [low, high) of x[n] are sums over these ranks, within (size - 1) eps of the sum of magnitudes. */
static bool is_sum(enum kernel_dtype t, const void *x, int64_t n, int64_t low, int64_t high, int which,
                   const int *ranks, int size) {
    const double eps = t == KERNEL_F32 ? 0x1p-24 : 0x1p-8;
    double *exact = calloc((size_t)n + 1, sizeof *exact), *magnitude = calloc((size_t)n + 1, sizeof *magnitude);
    void *y = malloc(((size_t)n + 1) * sizeof(float));
    bool good = true;
    for (int r = 0; r < size; r++) {
        fill(t, y, n, which, ranks[r]);
        for (int64_t i = 0; i < n; i++) {
            exact[i] += (double)scalar_get(t, y, i);
            magnitude[i] += fabs((double)scalar_get(t, y, i));
        }
    }
    for (int64_t i = low; i < high; i++) /* FP64 rounds too, by far less */
        good &= fabs((double)scalar_get(t, x, i) - exact[i]) <= (size - 1) * (eps + 0x1p-50) * magnitude[i];
    free(exact);
    free(magnitude);
    free(y);
    return good;
}

/* A reduce-scatter leaves the block of this rank, an all-reduce everything. Nothing is written beside it. */
static void sum_of(struct agreed *a, enum kernel_dtype t, int64_t n, int which, bool scatter, const int *ranks) {
    struct comm *w = &a->world;
    const size_t unit = kernel_dtype_bytes(t), bytes = (size_t)n * unit;
    const int64_t low = scatter ? comm_block(n, w->size, w->rank) : 0;
    const int64_t high = scatter ? comm_block(n, w->size, w->rank + 1) : n;
    unsigned char *b = malloc(bytes + 2 * EDGE), *x = b + EDGE;
    uint64_t hash[2];
    bool good = true;
    char what[96];
    for (int turn = 0; turn < 2; turn++) {
        struct comm_request request;
        memset(b, 0x5a, bytes + 2 * EDGE);
        fill(t, x, n, which, w->rank);
        (scatter ? w->ops->reduce_scatter_start : w->ops->all_reduce_start)(w, x, n, t, &request);
        w->ops->wait(w, &request);
        good &= !request.active && (turn || is_sum(t, x, n, low, high, which, ranks, w->size));
        if (scatter) w->ops->all_gather_start(w, x, n, (int)unit, &request);
        if (scatter) w->ops->wait(w, &request);
        for (int i = 0; i < EDGE; i++) good &= b[i] == 0x5a && x[bytes + (size_t)i] == 0x5a;
        hash[turn] = agreed_hash(x, bytes);
    }
    snprintf(what, sizeof what, "%s of %lld in dtype %d", scatter ? "a reduce-scatter" : "an all-reduce", (long long)n,
             t);
    agreed_check(a, good, what);
    agreed_check(a, agreed_same(a, hash[0]) && hash[0] == hash[1], "its bits, on all ranks and again");
    free(b);
}

static void lengths(struct agreed *a, const int *ranks) {
    const int64_t whole = (int64_t)SEGMENT * a->world.size;
    const int64_t counts[] = {0, 1, 2, 3, 7, 1000, SEGMENT, whole - 1, whole, whole + 1, 2 * whole + 3};
    for (int k = 0; k < (int)(sizeof counts / sizeof *counts); k++)
        for (int scatter = 0; scatter < 2; scatter++) {
            sum_of(a, KERNEL_BF16, counts[k], k, scatter, ranks);
            if (k % 4 == 3) sum_of(a, KERNEL_F32, counts[k], k, scatter, ranks);
        }
}

/* The bits that the sum of two addends must have. */
static bool is_right(kernel_bf16 sum, kernel_bf16 x, kernel_bf16 y) {
    const float right = scalar_widen(x) + scalar_widen(y);
    const kernel_bf16 bits = scalar_narrow(right);
    if (isnan(right)) return isnan(scalar_widen(sum));
    return sum == bits || (scalar_widen(sum) == 0 && scalar_widen(bits) == 0);
}

/* Two ranks add, the others have zeros: each pattern of bits as it is, or with another one. */
static void patterns(struct agreed *a, bool alone) {
    struct comm *w = &a->world;
    static kernel_bf16 x[4 * PATTERNS];
    bool good = true;
    for (int turn = 0; turn < w->size; turn++) {
        struct comm_request request;
        const int first = turn, second = alone || w->size == 1 ? -1 : (turn + 1) % w->size;
        for (int i = 0; i < 4 * PATTERNS; i++) {
            const kernel_bf16 other = (kernel_bf16)(i * 40503u >> 3);
            x[i] = w->rank == first ? (kernel_bf16)i : w->rank == second ? other : (kernel_bf16)(i % 2 << 15);
        }
        w->ops->all_reduce_start(w, x, 4 * PATTERNS, KERNEL_BF16, &request);
        w->ops->wait(w, &request);
        for (int i = 0; i < 4 * PATTERNS; i++)
            good &= is_right(x[i], (kernel_bf16)i, second < 0 ? 0 : (kernel_bf16)(i * 40503u >> 3));
        good &= agreed_same(a, agreed_hash(x, sizeof x));
    }
    agreed_check(a, good, alone ? "one addend comes out as it is" : "two addends are added as IEEE-754 says");
}

/* Addends halfway between two BF16 numbers, near each other and far apart, and sums that overflow. */
static void edges(struct agreed *a) {
    static const struct {
        float x, y, sum;
    } rows[] = {
        {1, 0x1p-8f, 1},
        {1, 0x1.02p-8f, 0x1.02p0f},
        {0x1.02p0f, 0x1p-8f, 0x1.04p0f},
        {256, 1, 256},
        {258, 1, 260},
        {-258, -1, -260},
        {1, -0x1p-9f, 1},
        {1, 0x1p-100f, 1},
        {0x1p-133f, 0x1p-133f, 0x1p-132f},
        {0x1p-126f, -0x1p-133f, 0x1.fcp-127f},
        {0x1.fep127f, 0x1p118f, 0x1.fep127f},
        {0x1.fep127f, 0x1p119f, INFINITY},
        {INFINITY, -0x1.fep127f, INFINITY},
    };
    enum { ROWS = sizeof rows / sizeof *rows };
    struct comm_request request;
    struct comm *w = &a->world;
    kernel_bf16 x[ROWS];
    bool good = true;
    for (int i = 0; i < ROWS; i++) x[i] = w->rank > 1 ? 0 : scalar_narrow(w->rank ? rows[i].y : rows[i].x);
    w->ops->all_reduce_start(w, x, ROWS, KERNEL_BF16, &request);
    w->ops->wait(w, &request);
    for (int i = 0; i < ROWS; i++) good &= scalar_widen(x[i]) == (w->size == 1 ? rows[i].x : rows[i].sum);
    agreed_check(a, good, "halves go to even, and what is too large to infinity");
}

/* The bytes that this rank sends for a sum. */
static int64_t bytes_of(struct comm *w, enum kernel_dtype t, int64_t n) {
    struct comm_request request;
    void *x = calloc((size_t)n, kernel_dtype_bytes(t));
    sent = 0;
    w->ops->all_reduce_start(w, x, n, t, &request);
    w->ops->wait(w, &request);
    free(x);
    return sent;
}
static void half_the_bytes(struct agreed *a) {
    const int64_t n = 12 * 65536; /* all messages are full, on up to 4 ranks */
    const int64_t wide = bytes_of(&a->world, KERNEL_F32, n), narrow = bytes_of(&a->world, KERNEL_BF16, n);
    agreed_check(a, wide == 2 * 4 * n / a->world.size * (a->world.size - 1), "an FP32 sum sends what it must");
    agreed_check(a, 2 * narrow == wide, "a BF16 sum sends half of it");
}

/* Each rank sums in its half and in the world at once, in both dtypes; half the ranks wait the other way round. */
static void groups(struct agreed *a) {
    static const int64_t n[FLIGHT] = {SEGMENT + 1, 5, 300001, 131};
    struct comm *w = &a->world, half;
    struct base_error e;
    agreed_check(a, comm_split(w, w->rank % 2, -w->rank, &half, &e) == BASE_OK, "two groups");
    int *mates = calloc((size_t)half.size, sizeof *mates), *all = calloc((size_t)w->size, sizeof *all);
    half.ops->all_gather(&half, &w->rank, sizeof *mates, mates);
    w->ops->all_gather(w, &w->rank, sizeof *all, all);
    struct comm_request request[2 * FLIGHT];
    void *x[2 * FLIGHT];
    for (int i = 0; i < 2 * FLIGHT; i++) { /* turn about of the group and the world */
        struct comm *c = i % 2 ? w : &half;
        const enum kernel_dtype t = i / 2 % 2 ? KERNEL_F32 : KERNEL_BF16;
        x[i] = malloc((size_t)n[i / 2] * sizeof(float));
        fill(t, x[i], n[i / 2], 50 + i, w->rank);
        c->ops->all_reduce_start(c, x[i], n[i / 2], t, &request[i]);
    }
    for (int k = 0; k < 2 * FLIGHT; k++) {
        const int i = w->rank / 2 % 2 ? k : 2 * FLIGHT - 1 - k;
        struct comm *c = i % 2 ? w : &half;
        c->ops->wait(c, &request[i]);
    }
    for (int i = 0; i < 2 * FLIGHT; i++) {
        const enum kernel_dtype t = i / 2 % 2 ? KERNEL_F32 : KERNEL_BF16;
        const bool good = i % 2 ? is_sum(t, x[i], n[i / 2], 0, n[i / 2], 50 + i, all, w->size)
                                : is_sum(t, x[i], n[i / 2], 0, n[i / 2], 50 + i, mates, half.size);
        agreed_check(a, good, "sums of groups and of the world at once");
        free(x[i]);
    }
    free(mates);
    free(all);
    comm_close(&half);
}

int main(void) {
    struct agreed a;
    agreed_open(&a);
    int *ranks = calloc((size_t)a.world.size, sizeof *ranks);
    for (int r = 0; r < a.world.size; r++) ranks[r] = r;
    lengths(&a, ranks);
    patterns(&a, true);
    patterns(&a, false);
    edges(&a);
    half_the_bytes(&a);
    groups(&a);
    free(ranks);
    return agreed_close(&a);
}
