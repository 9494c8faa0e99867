/* SPDX-License-Identifier: Apache-2.0
 *
 * Who writes which tensor, the rounds in which tensors are put together, and the checksums of what was written. */
#define _GNU_SOURCE
#include "checkpoint/shards.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint/names.h"
#include "guard/watchdog.h"
#include "plan/writers.h"

const struct checkpoint_kind checkpoint_model = {"model", 1, {{PARALLEL_MASTER, ""}}},
                             checkpoint_gradients = {"gradients", 1, {{PARALLEL_GRADIENTS, ""}}},
                             checkpoint_optimizer = {
                                 "optimizer", 2, {{PARALLEL_MOMENT1, "exp_avg."}, {PARALLEL_MOMENT2, "exp_avg_sq."}}};

static void share_out(struct checkpoint_shards *s, int writers) {
    const struct parallel_engine *g = s->engine;
    const int ranks = g->world->size;
    int next = 0;
    for (int r = 0; r < ranks; r++) {
        s->first[r] = next;
        for (; next < g->whole.count; next++) {
            const struct model_tensor *t = &g->whole.tensors[next];
            if (plan_writer(&g->whole, writers, t->offset, t->count) > r) break;
        }
        const int mine = next - s->first[r];
        if (r < g->world->rank) s->number += mine > 0;
        s->files += mine > 0;
        s->rounds = mine > s->rounds ? mine : s->rounds;
    }
    s->first[ranks] = next;
}

/* Whether a kind's tensors must be put together from several ranks. */
static bool apart(const struct checkpoint_shards *s, const struct checkpoint_kind *kind) {
    return !parallel_has_all(s->engine, kind->array[0].what);
}

static int tensors_of(const struct checkpoint_shards *s, int rank) {
    return s->first[rank + 1] - s->first[rank];
}

int checkpoint_shards_open(struct checkpoint_shards *s, struct parallel_engine *g, enum checkpoint_spread spread,
                           struct base_error *e) {
    const int rank = g->world->rank;
    const size_t ranks = (size_t)g->world->size;
    *s = (struct checkpoint_shards){.engine = g, .first = calloc(ranks + 1, sizeof(int))};
    s->wanted = calloc(ranks, sizeof *s->wanted);
    int code = parallel_exchange_open(&s->exchange, g, e);
    if (!code && (!s->first || !s->wanted)) code = base_fail(e, BASE_BROKEN, "out of memory for %zu writers", ranks);
    if (!code) share_out(s, spread == CHECKPOINT_FIRST ? 1 : g->world->size);
    for (int i = 0; !code && i < tensors_of(s, rank); i++) {
        const int64_t n = g->whole.tensors[s->first[rank] + i].count;
        s->largest = n > s->largest ? n : s->largest;
    }
    const bool whole = parallel_has_all(g, PARALLEL_MASTER) && parallel_has_all(g, PARALLEL_MOMENT1);
    if (!whole && spread != CHECKPOINT_COPIED) s->room = s->largest;
    if (s->room && !(s->values = malloc((size_t)s->room * sizeof *s->values)))
        code = base_fail(e, BASE_BROKEN, "out of memory for a tensor of %lld elements", (long long)s->room);
    return comm_agree(g->world, code, e);
}

void checkpoint_shards_close(struct checkpoint_shards *s) {
    parallel_exchange_close(&s->exchange);
    free(s->first), free(s->wanted), free(s->values);
    *s = (struct checkpoint_shards){0};
}

double checkpoint_shards_buffers(const struct checkpoint_shards *s) {
    const int64_t chunk = s->largest < DATA_TENSORS_CHUNK ? s->largest : DATA_TENSORS_CHUNK;
    return sizeof(float) * (double)(s->room + s->exchange.room + chunk);
}

bool checkpoint_shards_file(const struct checkpoint_shards *s, const struct checkpoint_kind *kind,
                            char name[CHECKPOINT_FILE]) {
    if (s->files == 1)
        snprintf(name, CHECKPOINT_FILE, "%s.safetensors", kind->name);
    else
        snprintf(name, CHECKPOINT_FILE, "%s-%05d-of-%05d.safetensors", kind->name, s->number + 1, s->files);
    return tensors_of(s, s->engine->world->rank) > 0;
}

/* Of all ranks' tensor number `turn`, each on its writer. */
static int put_together(struct checkpoint_shards *s, enum parallel_what what, int turn, float *out,
                        struct base_error *e) {
    for (int r = 0; r < s->engine->world->size; r++) s->wanted[r] = turn < tensors_of(s, r) ? s->first[r] + turn : -1;
    return parallel_gather_to(s->engine, what, s->wanted, &s->exchange, out, e);
}

static void copy_tensor(const struct parallel_engine *g, enum parallel_what what, int tensor, float *out) {
    const float *values = parallel_whole(g, what, tensor);
    const int64_t count = g->whole.tensors[tensor].count;
#pragma omp parallel for num_threads(g->team.threads)
    for (int64_t i = 0; i < count; i++) out[i] = values[i];
}

/* What a copy is of, array by array, tensor by tensor. */
static const struct checkpoint_kind *const copied[] = {&checkpoint_model, &checkpoint_optimizer};

static int64_t elements_of(const struct checkpoint_shards *s) {
    const int rank = s->engine->world->rank;
    int64_t n = 0;
    for (int i = s->first[rank]; i < s->first[rank + 1]; i++) n += s->engine->whole.tensors[i].count;
    return n;
}

static int copy_array(struct checkpoint_shards *s, const struct checkpoint_kind *kind, int array, float *to,
                      struct base_error *e) {
    struct parallel_engine *g = s->engine;
    const int first = s->first[g->world->rank], mine = tensors_of(s, g->world->rank);
    const enum parallel_what what = kind->array[array].what;
    int code = BASE_OK;
    for (int turn = 0; turn < s->rounds && !code; turn++) {
        guard_progress();
        if (apart(s, kind)) code = put_together(s, what, turn, to, e);
        if (turn >= mine) continue;
        if (!apart(s, kind)) copy_tensor(g, what, first + turn, to);
        to += g->whole.tensors[first + turn].count;
    }
    return code;
}

int checkpoint_shards_copy(struct checkpoint_shards *s, struct base_error *e) {
    const struct base_arena *arena = &s->engine->arenas[PLAN_COPY];
    const int64_t each = elements_of(s);
    float *to = (float *)(void *)arena->base;
    int code = BASE_OK;
    if ((size_t)((copied[0]->arrays + copied[1]->arrays) * each) * sizeof *to > arena->size)
        code = base_fail(e, BASE_BROKEN, "bug: a copy of %lld elements of each array does not fit", (long long)each);
    code = comm_agree(s->engine->world, code, e);
    s->copy = to;
    for (int k = 0; k < 2; k++)
        for (int a = 0; a < copied[k]->arrays; a++, to += each)
            if (!code) code = copy_array(s, copied[k], a, to, e);
    /* nothing is exchanged any more, and steps that go on need the memory */
    const int64_t room = s->exchange.room;
    parallel_exchange_close(&s->exchange);
    s->exchange.room = room;
    return code;
}

/* A kind of file that is being written. */
struct writing {
    struct checkpoint_shards *shards;
    const struct checkpoint_kind *kind;
    struct data_tensor_out *rows;
    int round;         /* the next, of rounds for each array */
    int code;          /* of putting tensors together */
    const float *next; /* the tensor in the copy; NULL: there is none */
    int threads;
    struct base_error *e;
    uint64_t sum;
    json_t *sums;
};

/* Each writer's next tensor is put together. Collective. */
static void next_round(struct writing *w) {
    struct checkpoint_shards *s = w->shards;
    const int array = w->round / s->rounds, turn = w->round % s->rounds;
    w->round++;
    guard_progress(); /* a sync may be behind it, which takes no CPU time */
    if (!w->code && apart(s, w->kind)) w->code = put_together(s, w->kind->array[array].what, turn, s->values, w->e);
}

/* For data_tensors_write. Once tensors cannot be put together the file is of no use, and what is in it does not matter.
 */
static void fill(void *context, int i, int64_t first, int64_t n, float *out) {
    struct writing *w = context;
    struct checkpoint_shards *s = w->shards;
    const struct parallel_engine *g = s->engine;
    const int mine = tensors_of(s, g->world->rank), array = i / mine, tensor = s->first[g->world->rank] + i % mine;
    const struct model_tensor *t = &g->whole.tensors[tensor];
    while (!w->next && w->round <= array * s->rounds + i % mine) next_round(w);
    const float *values = w->next             ? w->next
                          : apart(s, w->kind) ? s->values
                                              : parallel_whole(g, w->kind->array[array].what, tensor);
    guard_progress();
#pragma omp parallel for num_threads(w->threads)
    for (int64_t j = 0; j < n; j++) out[j] = w->code ? 0 : values[checkpoint_element(t, first + j)];
    if (w->next && first + n == t->count) w->next += t->count;
    if (!w->sums) return;
    w->sum = 3 * (first ? w->sum : 0) + parallel_mix(out, n * (int64_t)sizeof *out, w->threads);
    if (first + n == t->count) json_object_set_new(w->sums, w->rows[i].name, json_sprintf("%016" PRIx64, w->sum));
}

static int write_file(struct writing *w, const char *path, struct base_error *e) {
    const struct checkpoint_shards *s = w->shards;
    const struct parallel_engine *g = s->engine;
    const int mine = tensors_of(s, g->world->rank), count = mine * w->kind->arrays;
    char(*names)[CHECKPOINT_NAME] = calloc((size_t)count, CHECKPOINT_NAME);
    w->rows = calloc((size_t)count, sizeof *w->rows);
    int code = BASE_BROKEN;
    for (int i = 0; w->rows && names && i < count; i++)
        checkpoint_row(&g->whole.tensors[s->first[g->world->rank] + i % mine], w->kind->array[i / mine].prefix,
                       g->plan->request.config.family->prefix, names[i], &w->rows[i]);
    if (w->rows && names)
        code = data_tensors_write(path, w->rows, count, fill, w, e);
    else
        base_fail(e, BASE_BROKEN, "out of memory for the names of %d tensors", count);
    free(w->rows), free(names);
    return code;
}

int checkpoint_shards_write(struct checkpoint_shards *s, const struct checkpoint_kind *kind, const char *path,
                            json_t *sums, struct base_error *e) {
    struct base_error of_rounds = {0};
    struct writing w = {.shards = s, .kind = kind, .e = &of_rounds, .sums = sums, .next = s->copy};
    w.threads = s->copy ? 1 : s->engine->team.threads;
    for (int k = 0; s->copy && copied[k] != kind; k++) w.next += copied[k]->arrays * elements_of(s);
    int code = tensors_of(s, s->engine->world->rank) ? write_file(&w, path, e) : BASE_OK;
    if (s->copy) return code;
    while (w.round < kind->arrays * s->rounds) next_round(&w); /* a rank that has failed has parts of others' tensors */
    if (w.code) code = base_fail(e, w.code, "%s", of_rounds.text);
    return comm_agree(s->engine->world, code, e);
}

/* The checksum of a tensor as it is in its file. False with errno: unreadable. */
static bool sum_of(int file, const struct data_tensor *t, float *chunk, int threads, uint64_t *sum) {
    *sum = 0;
    for (int64_t first = 0; first < t->count; first += DATA_TENSORS_CHUNK) {
        const int64_t n = t->count - first < DATA_TENSORS_CHUNK ? t->count - first : DATA_TENSORS_CHUNK;
        const ssize_t bytes = n * (ssize_t)sizeof *chunk;
        errno = EIO; /* if the file ends early */
        guard_progress();
        if (pread(file, chunk, (size_t)bytes, t->at + first * (int64_t)sizeof *chunk) != bytes) return false;
        *sum = 3 * *sum + parallel_mix(chunk, bytes, threads);
    }
    return true;
}

static int check_tensor(const char *path, int file, const struct data_tensor *t, const char *was, float *chunk,
                        int threads, struct base_error *e) {
    char is[32];
    uint64_t sum = 0;
    if (t->dtype == DATA_F32 && !sum_of(file, t, chunk, threads, &sum))
        return base_fail(e, BASE_BROKEN, "%s: tensor '%.160s' cannot be read: %s", path, t->name, strerror(errno));
    snprintf(is, sizeof is, "%016" PRIx64, sum);
    if (was && !strcmp(is, was)) return BASE_OK;
    return base_fail(e, BASE_BROKEN, "%s: tensor '%.160s' is not what was written: its checksum is %s, and was %.32s",
                     path, t->name, is, was ? was : "none");
}

/* A file on a bad disk must not end the process, so it is read, not mapped; but for its header. */
int checkpoint_file_check(const char *path, const json_t *sums, int threads, struct base_error *e) {
    struct data_tensors *set = NULL;
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    float *chunk = malloc(DATA_TENSORS_CHUNK * sizeof *chunk);
    int code = file < 0 ? base_fail(e, BASE_BROKEN, "%s: cannot be read: %s", path, strerror(errno))
               : !chunk ? base_fail(e, BASE_BROKEN, "%s: out of memory to read it", path)
                        : BASE_OK;
    if (file >= 0) posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED); /* from the disk, where the system can forget it */
    if (!code) code = data_tensors_open(&set, path, e);
    const int count = code ? 0 : data_tensors_count(set);
    if (!code && (size_t)count != json_object_size(sums))
        code =
            base_fail(e, BASE_BROKEN, "%s: has %d tensors, and %zu were written", path, count, json_object_size(sums));
    for (int i = 0; i < count && !code; i++) {
        const struct data_tensor *t = data_tensors_at(set, i);
        code = check_tensor(path, file, t, json_string_value(json_object_get(sums, t->name)), chunk, threads, e);
    }
    data_tensors_close(set);
    free(chunk);
    if (file >= 0) close(file);
    return code;
}
