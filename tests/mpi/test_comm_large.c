/* SPDX-License-Identifier: Apache-2.0
 * check: full
 * check: ranks 2
 * check: timeout 400
 *
 * A sum with more elements than an int counts, and a message and a block with more bytes. All pages of the buffer
 * except its end map one file of zeros, so that it takes address space and no memory. */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mpi/support/agreed.h"

enum { PART = 64 << 20, PARTS = 33, LAST = 1000003 };

/* PARTS maps of the same 4 PART bytes, followed by room for LAST separate elements and 16 bytes. NULL: refused. */
static float *map(void) {
    const size_t part = sizeof(float) * PART, bytes = part * PARTS + sizeof(float) * LAST + 16;
    const int file = memfd_create("zeros", 0);
    if (file < 0 || ftruncate(file, (off_t)part)) return NULL;
    char *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    for (size_t i = 0; base != MAP_FAILED && i < PARTS; i++)
        if (mmap(base + i * part, part, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0) == MAP_FAILED)
            return NULL;
    close(file);
    return base == MAP_FAILED ? NULL : (float *)(void *)base;
}

/* Rank 0's last 2 GiB of zeros and then LAST elements, to rank 1. */
static void message(struct agreed *a, float *end) {
    const size_t zeros = (size_t)1 << 31, bytes = zeros + sizeof *end * LAST;
    struct comm *w = &a->world;
    struct comm_request request = {0};
    char *data = (char *)end - zeros;
    float *first = malloc(sizeof *first * LAST);
    agreed_fill(first, LAST, 2, 0);
    agreed_fill(end, LAST, 2, w->rank);
    if (w->rank == 0) w->ops->send_start(w, data, bytes, 1, 0, &request);
    if (w->rank == 1) w->ops->receive_start(w, data, bytes, 0, 0, &request);
    w->ops->wait(w, &request);
    agreed_check(a, w->rank > 1 || !memcmp(end, first, sizeof *first * LAST), "the end of a message above 2 GiB");
    free(first);
}

/* The same bytes as the second block of rank 1, whose first comes from itself. Rank 0 gets 5 bytes. */
static void block(struct agreed *a, float *end) {
    const size_t zeros = (size_t)1 << 31, large = zeros + sizeof *end * LAST;
    const int64_t out[2][2] = {{0, (int64_t)large}, {5, 7}}, in[2][2] = {{0, 5}, {(int64_t)large, 7}};
    struct comm *w = &a->world;
    struct comm_request request = {0};
    char few[12] = "fivesevenup", got[12] = "", *data = (char *)end - zeros;
    float *first = malloc(sizeof *first * LAST);
    agreed_fill(first, LAST, 3, 0);
    agreed_fill(end, LAST, 3, w->rank);
    memset(end + LAST, 1, 7);
    w->ops->all_to_all_v_start(w, w->rank ? few : data, out[w->rank], w->rank ? data : got, in[w->rank], &request);
    w->ops->wait(w, &request);
    agreed_check(a, w->rank == 0 || !memcmp(end, first, sizeof *first * LAST), "the end of a block above 2 GiB");
    agreed_check(a, !memcmp(w->rank ? (char *)(end + LAST) : got, few + 5L * w->rank, w->rank ? 7 : 5),
                 "the block after it, and the one in return");
    free(first);
}

int main(void) {
    struct agreed a;
    agreed_open(&a);
    const int64_t before = (int64_t)PART * PARTS;
    struct comm_request request;
    float *x = map();
    double refused = !x;
    a.world.ops->max(&a.world, &refused, 1);
    if (refused > 0) {
        if (a.world.rank == 0) puts("SKIP: a sum of more than INT_MAX elements: no address space for it");
        return agreed_close(&a);
    }
    agreed_fill(x + before, LAST, 1, a.world.rank);
    a.world.ops->all_reduce_start(&a.world, x, before + LAST, KERNEL_F32, &request);
    a.world.ops->wait(&a.world, &request);
    bool zero = true;
    for (int64_t i = 0; i < PART; i++) zero &= x[i] == 0;
    agreed_check(&a, zero, "zeros stay zero");
    agreed_check(&a, agreed_is_sum(&a, x + before, LAST, 1), "the elements beyond INT_MAX");
    agreed_check(&a, agreed_same(&a, agreed_hash(x + before, sizeof *x * LAST)), "and their bits");
    message(&a, x + before);
    block(&a, x + before);
    return agreed_close(&a);
}
