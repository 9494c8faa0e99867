/* SPDX-License-Identifier: Apache-2.0
 *
 * Buffers between inaccessible pages, and the handler that names the buffer of a fault. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "unit/support/guarded.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

enum { MOST = 128, POISON = 0xff };

enum guarded_place guarded_place;
const char *guarded_what = "a kernel";

/* room: the accessible pages; the buffer starts `head` bytes into them */
static struct guarded {
    unsigned char *room;
    size_t pages, head, bytes;
} guarded[MOST];
static int count;

static size_t page(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* Names the buffer and ends the process. Other threads may be inside the kernel, so the test cannot continue. */
static void on_fault(int number, siginfo_t *info, void *context) {
    const unsigned char *at = info->si_addr;
    (void)context;
    for (int i = 0; i < count; i++) {
        const struct guarded *g = &guarded[i];
        const unsigned char *begin = g->room + g->head, *end = begin + g->bytes;
        if (at < g->room - page() || at >= g->room + g->pages + page()) continue;
        fprintf(stderr, "%s touched byte %lld %s of a buffer of %zu bytes (the %d. that the test made)\n", guarded_what,
                (long long)(at < begin ? begin - at : at - end), at < begin ? "before the begin" : "after the end",
                g->bytes, i + 1);
        _exit(1);
    }
    signal(number, SIG_DFL); /* not one of these buffers: let the next handler see the fault */
}

/* Called by each test, because cmocka installs its own handlers. */
static void watch(void) {
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
}

static void slack(const struct guarded *g, bool forbidden) {
    unsigned char *end = g->room + g->head + g->bytes;
    const size_t after = g->pages - g->head - g->bytes;
    if (forbidden) {
        ASAN_POISON_MEMORY_REGION(g->room, g->head);
        ASAN_POISON_MEMORY_REGION(end, after);
    } else {
        ASAN_UNPOISON_MEMORY_REGION(g->room, g->pages);
    }
    (void)end, (void)after;
}

/* At `head` bytes into the pages; with SIZE_MAX, as far towards their end as `align` allows. */
static void *guarded_at(size_t bytes, size_t head, size_t align) {
    assert_true(count < MOST);
    const size_t lead = head == SIZE_MAX ? 0 : head, pages = (lead + bytes + page()) / page() * page();
    unsigned char *all = mmap(NULL, pages + 2 * page(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(all != MAP_FAILED);
    assert_int_equal(mprotect(all + page(), pages, PROT_READ | PROT_WRITE), 0);
    struct guarded *g = &guarded[count++];
    *g = (struct guarded){all + page(), pages, head == SIZE_MAX ? (pages - bytes) / align * align : head, bytes};
    memset(g->room, POISON, pages);
    slack(g, true);
    watch();
    return g->room + g->head;
}

void *guarded_bytes(size_t bytes, size_t skew) {
    return guarded_at(bytes, guarded_place == GUARDED_END ? SIZE_MAX : guarded_place == GUARDED_BEGIN ? 0 : skew, 1);
}
void *guarded_scratch(size_t bytes) {
    return guarded_at(bytes, SIZE_MAX, 64);
}

static void check(const struct guarded *g) {
    unsigned changed = 0;
    slack(g, false);
    for (size_t b = 0; b < g->head; b++) changed |= g->room[b] ^ POISON;
    for (size_t b = g->head + g->bytes; b < g->pages; b++) changed |= g->room[b] ^ POISON;
    slack(g, true);
    if (changed) fail_msg("%s wrote beside a buffer of %zu bytes", guarded_what, g->bytes);
}

void guarded_check(void) {
    for (int i = 0; i < count; i++) check(&guarded[i]);
}

static void release(int i) {
    const struct guarded g = guarded[i];
    check(&g);
    slack(&g, false);
    munmap(g.room - page(), g.pages + 2 * page());
    for (count--; i < count; i++) guarded[i] = guarded[i + 1];
}

void guarded_release(void *buffer) {
    int i = count - 1;
    while (i >= 0 && guarded[i].room + guarded[i].head != buffer) i--;
    assert_true(i >= 0);
    release(i);
}

void guarded_free(void) {
    while (count > 0) release(count - 1);
}
