/* SPDX-License-Identifier: Apache-2.0
 *
 * The node's shared memory: one file without a name, mapped by all its ranks. */
#define _GNU_SOURCE
#include "guard/board.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

enum stage { OPEN, WRITING, DECIDED };

struct guard_shared {
    uint64_t mark, token;
    int slots, nodes;
    _Atomic int stage;
    struct guard_verdict verdict; /* whole once the stage is DECIDED */
    struct guard_slot slot[];     /* [slots], then struct guard_host hosts[nodes] */
};

uint64_t guard_random(void) {
    uint64_t bits = 0;
    if (getrandom(&bits, sizeof bits, 0) != (ssize_t)sizeof bits) bits = (uint64_t)getpid() << 32 | (uintptr_t)&bits;
    return bits;
}

static size_t size_of(int slots, int nodes) {
    return sizeof(struct guard_shared) + (size_t)slots * sizeof(struct guard_slot) +
           (size_t)nodes * sizeof(struct guard_host);
}

static struct guard_host *hosts_of(struct guard_shared *s) {
    return (struct guard_host *)(void *)&s->slot[s->slots];
}

static void describe(struct guard_board *b, struct guard_shared *s, size_t bytes, int file) {
    *b = (struct guard_board){.shared = s,
                              .bytes = bytes,
                              .file = file,
                              .slots = s->slots,
                              .nodes = s->nodes,
                              .slot = s->slot,
                              .hosts = hosts_of(s),
                              .token = s->token};
}

int guard_board_make(struct guard_board *b, int slots, const struct guard_host *hosts, int nodes, uint64_t token,
                     struct guard_key *key, struct base_error *e) {
    const size_t bytes = size_of(slots, nodes);
    const int file = memfd_create("toise-board", MFD_CLOEXEC);
    struct guard_shared *s = MAP_FAILED;
    if (file >= 0 && ftruncate(file, (off_t)bytes) == 0)
        s = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (s == MAP_FAILED) {
        const int why = errno;
        if (file >= 0) close(file);
        return base_fail(e, BASE_BROKEN, "--timeout: no shared memory for the ranks of this node: %s", strerror(why));
    }
    *key = (struct guard_key){.pid = getpid(), .file = file, .mark = guard_random()};
    s->mark = key->mark, s->token = token, s->slots = slots, s->nodes = nodes;
    memcpy(hosts_of(s), hosts, (size_t)nodes * sizeof *hosts);
    describe(b, s, bytes, file);
    return BASE_OK;
}

int guard_board_join(struct guard_board *b, const struct guard_key *key, struct base_error *e) {
    char path[64];
    struct stat found;
    struct guard_shared *s = MAP_FAILED;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", key->pid, key->file);
    const int file = open(path, O_RDWR | O_CLOEXEC);
    const bool large = file >= 0 && fstat(file, &found) == 0 && found.st_size >= (off_t)sizeof *s;
    const size_t bytes = large ? (size_t)found.st_size : 0;
    if (large) s = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (s != MAP_FAILED && s->mark == key->mark && bytes == size_of(s->slots, s->nodes)) {
        describe(b, s, bytes, file);
        return BASE_OK;
    }
    if (s != MAP_FAILED) munmap(s, bytes);
    if (file >= 0) close(file);
    return base_fail(e, BASE_NO, "%s is not the memory that the ranks of this node share", path);
}

void guard_board_close(struct guard_board *b) {
    if (b->file >= 0) close(b->file);
    if (b->shared) munmap(b->shared, b->bytes);
    *b = (struct guard_board){.file = -1};
}

void guard_slot_set_phase(struct guard_slot *slot, const char *phase) {
    char text[GUARD_NAME] = "";
    uint64_t word;
    snprintf(text, sizeof text, "%s", phase);
    for (int i = 0; i < GUARD_NAME / 8; i++) {
        memcpy(&word, text + 8 * i, sizeof word);
        atomic_store_explicit(&slot->phase[i], word, memory_order_relaxed);
    }
}

void guard_slot_phase(const struct guard_slot *slot, char phase[GUARD_NAME]) {
    for (int i = 0; i < GUARD_NAME / 8; i++) {
        const uint64_t word = atomic_load_explicit(&slot->phase[i], memory_order_relaxed);
        memcpy(phase + 8 * i, &word, sizeof word);
    }
    phase[GUARD_NAME - 1] = '\0';
}

bool guard_board_decide(struct guard_board *b, const struct guard_verdict *verdict) {
    int open = OPEN;
    if (!atomic_compare_exchange_strong(&b->shared->stage, &open, WRITING)) return false;
    b->shared->verdict = *verdict;
    atomic_store(&b->shared->stage, DECIDED);
    return true;
}

bool guard_board_verdict(const struct guard_board *b, struct guard_verdict *verdict) {
    if (atomic_load(&b->shared->stage) != DECIDED) return false;
    *verdict = b->shared->verdict;
    return true;
}
