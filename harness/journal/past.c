/* SPDX-License-Identifier: Apache-2.0
 *
 * Divides a journal into its processes, and gives their samples to one that goes on. */
#include "journal/past.h"

#include <stdlib.h>
#include <string.h>

#include "inject/inject.h"
#include "journal/journal.h"
#include "records/get.h"
#include "records/same.h"
#include "records/set.h"

const json_t *journal_line(const struct journal_past *past, size_t i, const char *key) {
    const json_t *line = json_array_get(past->text.lines, i);
    return json_object_get(line, key) ? line : NULL;
}

static int add_process(struct journal_past *past, size_t at, struct base_error *e) {
    struct journal_process *more = realloc(past->process, (size_t)(past->count + 1) * sizeof *more);
    if (!more) return base_fail(e, BASE_BROKEN, "out of memory for the journal %s", past->path);
    past->process = more;
    past->process[past->count++] = (struct journal_process){.first = at};
    past->head = json_array_get(past->text.lines, at);
    return BASE_OK;
}

/* Steps of a process are numbered, so that no line can be missing, repeated or moved. */
static int count_step(struct journal_past *past, size_t at, struct base_error *e) {
    struct journal_process *p = &past->process[past->count - 1];
    const json_t *warm = journal_line(past, at, "warm"), *timed = journal_line(past, at, "timed");
    const long long due = p->warm + p->timed, is = warm ? record_whole(warm, "warm") : record_whole(timed, "timed");
    if (!warm && !timed) return BASE_OK;
    if (is != due || (warm && p->timed))
        return base_fail(e, BASE_USAGE,
                         "%s: line %zu has step %lld where step %lld is due: lines are missing, or stand twice or in "
                         "another order; take another copy of the journal",
                         past->path, at + 1, is, due);
    p->warm += warm != NULL, p->timed += timed != NULL;
    return BASE_OK;
}

/* A process has one head. */
static int check_head(const struct journal_past *past, size_t at, const json_t *head, struct base_error *e) {
    for (int i = 0; i < past->count; i++) {
        const json_t *other = json_array_get(past->text.lines, past->process[i].first);
        if (!strcmp(record_text(other, "launch.id"), record_text(head, "launch.id")))
            return base_fail(e, BASE_USAGE,
                             "%s: line %zu: the process %s stands twice; take another copy of the journal", past->path,
                             at + 1, record_text(head, "launch.id"));
    }
    return BASE_OK;
}

static int divide(struct journal_past *past, struct base_error *e) {
    const size_t lines = json_array_size(past->text.lines);
    for (size_t i = 0; i < lines; i++) {
        const json_t *head = journal_line(past, i, "journal");
        if (head && strcmp(record_text(head, "journal"), JOURNAL_SCHEMA) != 0)
            return base_fail(e, BASE_USAGE,
                             "%s: line %zu: journal must be \"" JOURNAL_SCHEMA "\", not \"%.32s\": read it "
                             "with the toise that wrote it",
                             past->path, i + 1, record_text(head, "journal"));
        if (!head && !past->count) break;
        int code = head ? check_head(past, i, head, e) : BASE_OK;
        if (!code && head) code = add_process(past, i, e);
        if (!code) code = count_step(past, i, e);
        if (code) return code;
        past->process[past->count - 1].end = i + 1;
    }
    if (past->count) return BASE_OK;
    return base_fail(e, BASE_USAGE, "%s: is not the journal of a training: it has no head", past->path);
}

int journal_read(struct journal_past *past, const char *path, bool damaged, struct base_error *e) {
    *past = (struct journal_past){.path = path};
    const int code = (damaged ? guard_journal_read_damaged : guard_journal_read)(path, &past->text, e);
    return code ? code : divide(past, e);
}

void journal_close(struct journal_past *past) {
    json_decref(past->text.lines);
    free(past->process);
    *past = (struct journal_past){0};
}

static const char RULE[] = "a run goes on only with the same work in the same layout on the same kind of machine";

static int compare(const struct journal_past *past, const json_t *then, const json_t *now, const char *field,
                   struct base_error *e) {
    return record_same(past->path, field, then, now, RULE, e);
}

/* Each key, but those in `free_keys`. */
static int compare_all(const struct journal_past *past, const char *object, const json_t *now,
                       const char *const *free_keys, struct base_error *e) {
    return record_same_keys(past->path, object, json_object_get(past->head, object), now, free_keys, RULE, e);
}

int journal_check(const struct journal_past *past, const struct plan *plan, const struct train_options *options,
                  const struct train_identity *id, const struct comm *world, const json_t *machine,
                  struct base_error *e) {
    static const char *const in_config[] = {"warmup", "unread", NULL}, *const in_layout[] = {"threads_from", NULL};
    static const char *const of_machine[] = {"cpu", "isa", "kernels"};
    json_t *config = train_config(plan, options), *layout = train_layout(plan, world->nodes, id);
    int code = compare_all(past, "config", config, in_config, e);
    json_t *first = options->first_step ? json_integer(options->first_step) : NULL;
    if (!code) code = compare(past, json_object_get(past->head, "first_step"), first, "first_step", e);
    json_decref(first);
    if (!code) code = compare_all(past, "layout", layout, in_layout, e);
    for (int i = 0; i < 3 && !code; i++) {
        char path[64];
        snprintf(path, sizeof path, "machine.%s", of_machine[i]);
        code = compare(past, record_at(past->head, path), json_object_get(machine, of_machine[i]), path, e);
    }
    json_t *injected = inject_text() ? json_string(inject_text()) : NULL;
    if (!code) code = compare(past, json_object_get(past->head, "injected"), injected, "--inject", e);
    json_decref(injected);
    json_decref(config);
    json_decref(layout);
    return code;
}

static int take_losses(const struct journal_past *past, int last, struct train_losses *losses, struct base_error *e) {
    const struct journal_process *most = NULL;
    for (int p = 0; p < last; p++) {
        const struct journal_process *x = &past->process[p];
        if (!most || x->warm + x->timed > most->warm + most->timed) most = x;
    }
    if (!most || !(most->warm + most->timed)) return BASE_OK;
    if (!(losses->loss = calloc((size_t)(most->warm + most->timed), sizeof *losses->loss)))
        return base_fail(e, BASE_BROKEN, "out of memory for the journal %s", past->path);
    for (size_t i = most->first; i < most->end; i++)
        if (journal_line(past, i, "step_s"))
            losses->loss[losses->count++] = record_real(journal_line(past, i, "step_s"), "loss");
    losses->first = losses->since = record_whole(past->head, "first_step"); /* both begin with the same weights */
    snprintf(losses->where, sizeof losses->where, "the journal %.200s", past->path);
    return BASE_OK;
}

/* The line's step time, and its phases and interference. */
static bool take_step(const json_t *line, struct train_earlier *earlier) {
    const double seconds = record_real(line, "step_s");
    if (!(seconds > 0) || !measure_samples_take(earlier->samples, line)) return false;
    earlier->step_s[earlier->timed++] = seconds;
    return true;
}

int journal_earlier(const struct journal_past *past, int last, struct train_earlier *earlier, struct base_error *e) {
    static const char *names[PLAN_PHASES];
    int timed = 0;
    for (int p = 0; p < last; p++) timed += past->process[p].timed;
    for (int p = 0; p < PLAN_PHASES; p++) names[p] = plan_phase_name((enum plan_phase)p);
    *earlier = (struct train_earlier){.step_s = calloc((size_t)timed + 1, sizeof(double)),
                                      .samples = calloc(1, sizeof(struct measure_samples))};
    if (!earlier->step_s || !earlier->samples)
        return base_fail(e, BASE_BROKEN, "out of memory for the journal %s", past->path);
    int code = measure_samples_open(earlier->samples, timed, PLAN_PHASES, names, e);
    const size_t end = last ? past->process[last - 1].end : 0;
    for (size_t i = 0; i < end && !code; i++) {
        const json_t *line = journal_line(past, i, "timed");
        const json_t *overlap = journal_line(past, i, "overlap");
        struct train_overlap x;
        if (overlap && train_overlap_read(record_at(overlap, "overlap"), &x)) earlier->overlap = x.chosen;
        if (line && !take_step(line, earlier))
            code = base_fail(e, BASE_USAGE, "%s: line %zu is not a step of this version of toise", past->path, i + 1);
    }
    if (!timed) earlier->overlap = TRAIN_OVERLAP_AUTO;
    return code ? code : take_losses(past, last, &earlier->losses, e);
}

void journal_forget(struct train_earlier *earlier) {
    if (earlier->samples) measure_samples_close(earlier->samples);
    free(earlier->samples), free(earlier->step_s), free(earlier->losses.loss);
    *earlier = (struct train_earlier){0};
}

int journal_share(struct train_earlier *earlier, struct comm *world, struct base_error *e) {
    int code = BASE_OK;
    world->ops->broadcast(world, &earlier->timed, sizeof earlier->timed);
    world->ops->broadcast(world, &earlier->overlap, sizeof earlier->overlap);
    const size_t bytes = ((size_t)earlier->timed + 1) * sizeof(double);
    if (!earlier->step_s && !(earlier->step_s = malloc(bytes)))
        code = base_fail(e, BASE_BROKEN, "out of memory for %d earlier steps", earlier->timed);
    if ((code = comm_agree(world, code, e))) return code;
    world->ops->broadcast(world, earlier->step_s, bytes);
    return BASE_OK;
}

static json_t *process_json(const char *launch, int timed) {
    return json_pack("{s:s, s:i}", "launch", launch, "timed_steps", timed);
}

void journal_tell(const struct journal_past *past, int last, int own, json_t *record) {
    json_t *launch = json_object_get(record, "launch"), *resumes = json_array(), *processes = json_array();
    for (int p = 0; p < last; p++) {
        const json_t *head = json_array_get(past->text.lines, past->process[p].first);
        json_array_append_new(resumes, json_string(record_text(head, "launch.id")));
        json_array_append_new(processes, process_json(record_text(head, "launch.id"), past->process[p].timed));
    }
    json_array_append_new(processes, process_json(record_text(record, "launch.id"), own));
    record_set(launch, "resumes", resumes);
    if (json_object_size(json_object_get(record, "samples")))
        record_set(json_object_get(record, "samples"), "processes", processes);
    else
        json_decref(processes);
}
