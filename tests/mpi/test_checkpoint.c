/* SPDX-License-Identifier: Apache-2.0
 * check: ranks 1 2 4
 * check: timeout 300
 *
 * Checkpoints of every family in both precisions: what one layout saves another loads to the last bit, and goes on with
 * the same losses; in the same layout with the same bits. What is written while training goes on has the same bytes. A
 * damaged file, and a rank that cannot write, fail on all. */
#define _GNU_SOURCE
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "checkpoint/background.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/folder.h"
#include "data/safetensors.h"
#include "mpi/support/layouts.h"

static const struct layout layouts[] = {
    {1, 0, 0, 2, 1, 1, 1, PLAN_1F1B, 1}, {1, 0, 1, 1, 1, 1, 1, PLAN_1F1B, 1}, {1, 0, 2, 1, 1, 1, 1, PLAN_1F1B, 1},
    {1, 0, 3, 1, 1, 1, 1, PLAN_1F1B, 1}, {2, 0, 0, 2, 1, 1, 1, PLAN_1F1B, 1}, {2, 1, 1, 1, 1, 1, 1, PLAN_1F1B, 1},
    {2, 1, 3, 1, 1, 1, 1, PLAN_1F1B, 1}, {4, 1, 0, 2, 1, 1, 1, PLAN_1F1B, 1}, {1, 0, 0, 1, 1, 2, 1, PLAN_1F1B, 1},
    {1, 0, 3, 1, 1, 2, 1, PLAN_1F1B, 1}, {1, 0, 0, 1, 1, 2, 2, PLAN_1F1B, 1}, {2, 0, 2, 1, 1, 2, 1, PLAN_1F1B, 1},
    {2, 1, 0, 1, 1, 2, 2, PLAN_1F1B, 1}, {1, 0, 0, 1, 1, 4, 1, PLAN_1F1B, 1}, {1, 0, 1, 1, 1, 1, 1, PLAN_1F1B, 2},
    {2, 0, 0, 1, 1, 1, 1, PLAN_1F1B, 2},
};
enum { LAYOUTS = sizeof layouts / sizeof *layouts, BATCH = 16 };

/* The request of a layout for the batch that all have. */
static struct plan_request request(const struct agreed *a, const struct layout *l, const struct model_config *c,
                                   enum kernel_dtype dtype) {
    struct plan_request q = layout_request(&a->world, l, c, dtype, 0);
    q.seq = 20, q.global_batch = BATCH;
    return q;
}

/* One step; its number is that of the updates before it. */
static double step(struct run *r) {
    const struct parallel_optimizer o = parallel_optimizer_default();
    struct parallel_result result;
    parallel_step(&r->engine, r->source, &o, r->engine.updates, &result);
    return result.loss;
}

/* The elements in which two engines' states differ. */
static int64_t differences(struct run *r, struct run *s) {
    static const enum parallel_what what[] = {PARALLEL_MASTER, PARALLEL_MOMENT1, PARALLEL_MOMENT2};
    float *x = malloc((size_t)r->engine.whole.largest * sizeof *x),
          *y = malloc((size_t)r->engine.whole.largest * sizeof *y);
    int64_t differ = 0;
    for (int k = 0; x && y && k < 3; k++)
        for (int i = 0; i < r->engine.whole.count; i++) {
            parallel_collect(&r->engine, what[k], i, x), parallel_collect(&s->engine, what[k], i, y);
            for (int64_t j = 0; j < r->engine.whole.tensors[i].count; j++) differ += x[j] != y[j];
        }
    free(x), free(y);
    return differ;
}

/* Trains in one layout and saves; goes on in the same and in another. */
static void check(struct agreed *a, const char *root, const struct plan_request *q, const struct plan_request *other,
                  const char *what) {
    struct checkpoint_cost cost;
    struct checkpoint c;
    struct base_error e = {0};
    struct run r, s, t;
    char path[PATH_MAX];
    open_run(&r, a, q), open_run(&s, a, q), open_run(&t, a, other);
    parallel_start(&r.engine, 7, true);
    for (int i = 0; i < 2; i++) step(&r);
    must(a, checkpoint_save(&r.engine, root, NULL, &cost, &e), &e);
    must(a, checkpoint_open(&c, root, &e), &e);
    must(a, checkpoint_load(&s.engine, &c, &e), &e);
    must(a, checkpoint_load(&t.engine, &c, &e), &e);
    agreed_check(a, c.step == 2 && s.engine.updates == 2 && t.engine.updates == 2 && cost.bytes > 0, what);
    agreed_check(a, !differences(&r, &s) && !differences(&r, &t), what);
    for (int i = 0; i < 2; i++) {
        const double whole = step(&r), same = step(&s), apart = step(&t);
        agreed_check(a, whole == same, what);
        agreed_check(a, fabs(apart / whole - 1) < (q->dtype == KERNEL_F32 ? 1e-5 : 1e-2), what);
    }
    agreed_check(a, !differences(&r, &s), what);
    snprintf(path, sizeof path, "%s", c.folder);
    checkpoint_close(&c);
    a->world.ops->barrier(&a->world);
    if (a->world.rank == 0) checkpoint_folder_remove(path);
    a->world.ops->barrier(&a->world);
    close_run(&r), close_run(&s), close_run(&t);
}

/* Entries of a folder. */
static int entries(const char *path) {
    DIR *folder = opendir(path);
    int n = 0;
    for (struct dirent *entry; folder && (entry = readdir(folder));) n += entry->d_name[0] != '.';
    if (folder) closedir(folder);
    return n;
}

/* Files of a folder that differ from those of another, or are not in it; less those that only the other has. */
static int unlike(const char *one, const char *two) {
    char a[PATH_MAX], b[PATH_MAX];
    int differ = entries(two) - entries(one);
    DIR *folder = opendir(one);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        char *x = NULL, *y = NULL;
        size_t n = 0, m = 0;
        if (entry->d_name[0] == '.') continue;
        checkpoint_folder_file(one, entry->d_name, a), checkpoint_folder_file(two, entry->d_name, b);
        const bool read = !base_file_read(a, &x, &n, NULL) && !base_file_read(b, &y, &m, NULL);
        differ += !read || n != m || memcmp(x, y, n) != 0;
        free(x), free(y);
    }
    if (folder) closedir(folder);
    return differ;
}

/* Saves the same state at once and in the background, while steps change it. */
static void check_background(struct agreed *a, const char *root, const struct plan_request *q, const char *what) {
    static struct base_cpus cpus;
    struct plan_request copies = *q;
    struct checkpoint_background b;
    struct checkpoint_cost cost, later;
    struct base_error e = {0};
    struct run r;
    char path[PATH_MAX], other[PATH_MAX];
    copies.copies = true;
    base_cpus_mask(&cpus);
    open_run(&r, a, &copies);
    parallel_start(&r.engine, 7, true);
    must(a, checkpoint_background_open(&b, &r.engine, &cpus, &e), &e);
    step(&r);
    snprintf(path, sizeof path, "%s/step-00000001", root);
    snprintf(other, sizeof other, "%s/step-00000001.other", root);
    must(a, checkpoint_save(&r.engine, root, NULL, &cost, &e), &e);
    if (a->world.rank == 0 && rename(path, other)) comm_abort(&a->world, BASE_BROKEN);
    must(a, checkpoint_background_begin(&b, root, NULL, &e), &e);
    agreed_check(a, b.saving && access(path, F_OK) != 0, what);
    step(&r);
    must(a, checkpoint_background_end(&b, &later, &e), &e);
    a->world.ops->barrier(&a->world);
    agreed_check(a, !unlike(path, other) && !b.saving && !checkpoint_background_writes(&b), what);
    agreed_check(a, later.bytes == cost.bytes && later.copy_s > 0 && later.wait_s > 0 && later.hidden_s >= 0, what);
    agreed_check(a, later.hidden_s <= later.write_s + later.check_s, what);
    a->world.ops->barrier(&a->world);
    if (a->world.rank == 0) checkpoint_folder_remove(path), rename(other, path), checkpoint_folder_remove(path);
    a->world.ops->barrier(&a->world);
    checkpoint_background_close(&b);
    close_run(&r);
}

/* The last rank may write but a few bytes. */
static void check_full(struct agreed *a, const char *root, const struct plan_request *request) {
    static struct base_cpus cpus;
    struct plan_request copies = *request;
    struct checkpoint_background b;
    struct rlimit was, small = {.rlim_cur = 4096};
    struct checkpoint_cost cost;
    struct base_error e = {0};
    struct run r;
    const bool last = a->world.rank == a->world.size - 1;
    copies.copies = true;
    base_cpus_mask(&cpus);
    open_run(&r, a, &copies);
    parallel_start(&r.engine, 7, true);
    step(&r);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &was);
    small.rlim_max = was.rlim_max;
    if (last) setrlimit(RLIMIT_FSIZE, &small);
    const int code = checkpoint_save(&r.engine, root, NULL, &cost, &e);
    agreed_check(a, code == BASE_BROKEN && strstr(e.text, "not written"), "a rank that cannot write");
    agreed_check(a, entries(root) == 0, "what could not be saved leaves no trace");
    must(a, checkpoint_background_open(&b, &r.engine, &cpus, &e), &e);
    must(a, checkpoint_background_begin(&b, root, NULL, &e), &e);
    const int later = checkpoint_background_end(&b, &cost, &e);
    if (last) setrlimit(RLIMIT_FSIZE, &was);
    agreed_check(a, later == BASE_BROKEN && strstr(e.text, "not written"), "a thread that cannot write");
    agreed_check(a, entries(root) == 0, "what it could not save leaves no trace");
    agreed_check(a, checkpoint_background_begin(&b, "/proc/none", NULL, &e) == BASE_BROKEN && !b.saving,
                 "a folder that cannot be made");
    must(a, checkpoint_background_begin(&b, root, NULL, &e), &e);
    must(a, checkpoint_background_end(&b, &cost, &e), &e);
    checkpoint_background_close(&b);
    agreed_check(a, entries(root) == 1, "once it can write");
    close_run(&r);
}

/* One bit of a weight changes on disk; uses and removes the checkpoint that check_full leaves. */
static void check_damage(struct agreed *a, const char *root, const struct plan_request *q) {
    struct checkpoint c;
    struct base_error e = {0};
    struct run r;
    char path[PATH_MAX];
    must(a, checkpoint_open(&c, root, &e), &e);
    const char *name = json_string_value(json_object_get(json_array_get(json_object_get(c.about, "files"), 0), "file"));
    checkpoint_folder_file(c.folder, name, path);
    a->world.ops->barrier(&a->world);
    FILE *file = a->world.rank ? NULL : fopen(path, "r+b");
    if (file) {
        fseek(file, -2, SEEK_END);
        const int was = fgetc(file);
        fseek(file, -2, SEEK_END);
        fputc(was ^ 1, file);
        fclose(file);
    }
    a->world.ops->barrier(&a->world);
    open_run(&r, a, q);
    agreed_check(a, checkpoint_load(&r.engine, &c, &e) == BASE_USAGE && strstr(e.text, "is not what was written"),
                 "a damaged file");
    a->world.ops->barrier(&a->world);
    if (a->world.rank == 0) truncate(path, 1000);
    a->world.ops->barrier(&a->world);
    struct checkpoint again;
    agreed_check(a, checkpoint_open(&again, root, &e) == BASE_USAGE && strstr(e.text, "has 1000 bytes"),
                 "a short file");
    a->world.ops->barrier(&a->world);
    if (a->world.rank == 0) checkpoint_folder_remove(c.folder);
    checkpoint_close(&c);
    close_run(&r);
}

int main(void) {
    struct agreed a;
    char root[64] = "/tmp/toise-checkpoint-XXXXXX", what[200];
    int count = 0, turn = 0;
    agreed_open(&a);
    if (a.world.rank == 0 && !mkdtemp(root)) comm_abort(&a.world, BASE_BROKEN);
    a.world.ops->broadcast(&a.world, root, sizeof root);
    for (int f = 0; f < RIG_FAMILIES; f++)
        for (int dtype = 0; dtype < KERNEL_DTYPE_COUNT; dtype++) {
            /* the first table is written in several chunks */
            const int64_t vocab = f == 0 && dtype == KERNEL_F32 ? DATA_TENSORS_CHUNK / 48 + 99 : 101;
            struct model_config c = rig_config_of(rig_families[f], 4, 48, 4, vocab, 40);
            c.parameters = model_params_count(&c);
            const struct layout *fits[LAYOUTS];
            int n = 0;
            for (int i = 0; i < LAYOUTS; i++)
                if (layout_fits(&layouts[i], a.world.size)) fits[n++] = &layouts[i];
            for (int i = 0; i < n; i++, turn++) {
                const struct layout *l = fits[i], *o = fits[(i + 1 + turn % (n - 1)) % n];
                const struct plan_request q = request(&a, l, &c, (enum kernel_dtype)dtype);
                const struct plan_request other = request(&a, o, &c, (enum kernel_dtype)dtype);
                if (a.world.size > 2 && (turn + f + dtype) % 4) continue;
                snprintf(what, sizeof what,
                         "%s, %s: TP %d SP %d PP %d x %d ZeRO %d, then TP %d SP %d PP %d x %d ZeRO %d", c.family->type,
                         dtype == KERNEL_F32 ? "fp32" : "bf16", l->tp, l->sp, l->pp, l->vp, l->zero, o->tp, o->sp,
                         o->pp, o->vp, o->zero);
                check(&a, root, &q, &other, what);
                if (turn % 2 == 0) check_background(&a, root, &q, what);
                count++;
                if (f || dtype) continue;
                check_full(&a, root, &q);
                check_damage(&a, root, &q);
            }
        }
    a.world.ops->barrier(&a.world);
    if (a.world.rank == 0 && rmdir(root)) agreed_check(&a, false, "nothing is left");
    if (!a.world.rank) printf("%d ranks: %d checkpoints\n", a.world.size, count);
    return agreed_close(&a);
}
