/* SPDX-License-Identifier: Apache-2.0
 *
 * toise train: flags, plan, memory check, run, record, report. Ranks agree on every error before any of them leaves. */
#include <math.h>
#include <string.h>

#include "cli/guard.h"
#include "cli/progress.h"
#include "commands/commands.h"
#include "guard/stop.h"
#include "inject/inject.h"
#include "journal/recover.h"
#include "records/get.h"
#include "records/record.h"
#include "records/set.h"
#include "report/report.h"
#include "training/training.h"

/* Prints the record as JSON or as text. */
static void show(const struct training_flags *f, const json_t *record, void (*page)(FILE *, const json_t *)) {
    if (f->output.json)
        cli_print_json(record);
    else
        page(stdout, record);
}

/* Writes the record, then shows it, on rank 0. */
static int emit(const struct training_flags *f, const json_t *record, struct base_error *e) {
    int code = cli_emit(&f->output, record, e);
    if (!f->output.json) report_train(stdout, record);
    if (fflush(stdout) && !code) code = base_fail(e, BASE_BROKEN, "cannot write the report to standard output");
    return code;
}

static int dry_run(struct comm *world, struct training *s, const struct training_flags *f, const char *from,
                   struct base_error *e) {
    const struct train_identity id = training_identity(s, NULL, from);
    const double process_bytes = train_process_bytes(world);
    struct plan plan;
    json_t *grid = NULL;
    struct plan_request *r = &s->request;
    training_layout_micro_batch(r, 1, -1);
    int code = comm_agree(world, plan_make(&plan, r, e), e);
    if (!code) code = training_open_inputs(world, f, &plan, &s->options, e);
    if (!code) code = training_list_ranks(world, f, &r->layout, &grid, e);
    if (!code && world->rank == 0) {
        json_t *record = train_plan_record(&plan, &id, process_bytes);
        if (f->data) json_object_set_new(record, "data", json_string(data_describe(s->options.source)));
        json_object_update_new(record, grid);
        show(f, record, report_plan);
        json_decref(record);
    }
    training_close_inputs(&s->options);
    return code;
}

static int exit_code(const struct train_result *r, const struct training_flags *f, struct base_error *e) {
    const char *unsaved = !f->save || gate_passed(&r->gate) ? ""
                          : !f->save_every                  ? "; no weights were saved"
                          : r->save_count                   ? "; checkpoints that were saved before are still there"
                                                            : "; no checkpoint was saved";
    if (r->status == RECORD_FAILED) return base_fail(e, BASE_NO, "FAILED: %s%s", r->why, unsaved);
    if (r->status == RECORD_INCONCLUSIVE) return base_fail(e, BASE_INCONCLUSIVE, "inconclusive: %s", r->why);
    return BASE_OK;
}

/* What the callbacks of a launch need. progress must be first: its callbacks get this struct as their context. */
struct launch {
    struct cli_progress progress;
    struct comm *world;
    const struct training_flags *flags;
    const struct training *setup;
    const struct plan *plan;
    const struct cli_trainer *trainer;
    struct record_launch launch;
    struct energy *energy;
    struct cli_journal *journal;
    json_t *work; /* for checkpoints */
};

static struct energy_options energy_options(const struct training_flags *f, const struct measure_placement *place) {
    struct energy_options o = {
        .root = f->energy_root ? f->energy_root : "", .choice = f->energy, .command = f->power_command};
    if (place) o.cpus = &place->cpus, o.threads = place->pinned ? place->threads : place->cpus.count;
    return o;
}

/* --energy list: what this node can read. */
static int list_energy(struct comm *world, const struct training_flags *f, struct base_error *e) {
    const struct energy_options o = energy_options(f, NULL);
    int code = cli_alone(world, &training_command, e);
    if (code) return code;
    json_t *all = energy_list(&o);
    show(f, all, report_energy_list);
    json_decref(all);
    return BASE_OK;
}

static int on_result(void *context, struct train_result *r, struct base_error *e) {
    struct launch *l = context;
    const struct train_identity id = training_identity(l->setup, &l->launch, l->trainer->place.threads_from);
    int code = BASE_OK;
    cli_progress_close(&l->progress);
    json_t *record = cli_trainer_record(l->trainer, r, l->plan, &l->setup->options, &id, l->energy, l->world);
    if (l->world->rank == 0) {
        cli_journal_record(l->journal, r, record);
        code = emit(l->flags, record, e);
        const int kept =
            cli_journal_end(l->journal, r, l->flags->output.out && !code, cli_page(&l->flags->output), code ? NULL : e);
        if (!code) code = kept;
        if (r->stopped && r->save_count)
            fprintf(cli_page(&l->flags->output), "checkpoints go on with toise train --resume %s\n", l->flags->save);
    }
    json_decref(record);
    return comm_agree(l->world, code, e);
}

static bool on_window(void *context, const struct train_result *r) {
    const struct launch *l = context;
    return cli_journal_note(l->journal, r);
}

/* What a checkpoint says of its run. */
static json_t *about_of(const struct launch *l) {
    const struct train_identity id = training_identity(l->setup, &l->launch, l->trainer->place.threads_from);
    json_t *o = json_object();
    record_set(o, "config", train_config(l->plan, &l->setup->options));
    record_set(o, "layout", train_layout(l->plan, l->world->nodes, &id));
    record_set(o, "launch", record_launch_json(&l->launch));
    record_set(o, "first samples", json_string(l->setup->options.samples));
    record_set(o, "arguments", json_incref(l->work));
    return o;
}

static int open_journal(struct launch *l, struct train_options *o, struct base_error *e) {
    const struct train_identity id = training_identity(l->setup, &l->launch, l->trainer->place.threads_from);
    const struct cli_journal_run run = {l->trainer, l->plan, o, &id, l->flags->output.out};
    if (l->flags->journal.resume) o->earlier = &l->journal->earlier;
    return cli_journal_open(l->journal, &l->flags->journal, &run, l->world, e);
}

static int train(struct comm *world, const struct training_flags *f, struct training *s, const struct plan *plan,
                 const struct cli_trainer *trainer, struct cli_journal *journal, struct base_error *e) {
    struct train_options *o = &s->options;
    struct launch l = {.world = world, .flags = f, .setup = s, .plan = plan, .trainer = trainer, .journal = journal};
    struct train_result result = {0};
    const struct energy_options sources = energy_options(f, &trainer->place);
    int code = training_open_inputs(world, f, plan, o, e);
    l.work = training_work_of(f, s);
    if (!code && f->save_every && !l.work)
        code = base_fail(e, BASE_USAGE, "a checkpoint holds no flag that is not UTF-8: rename the file");
    code = comm_agree(world, code, e);
    if (!code) code = comm_agree(world, world->rank ? BASE_OK : training_make_save(f, o->from, e), e);
    if (!code) code = comm_agree(world, training_see_save(f, world, e), e);
    if (!code) code = training_warn_apart(world, f, plan, e);
    cli_launch_open(world, &f->launch, &l.launch);
    if (!code) code = open_journal(&l, o, e);
    if (!code) code = energy_open(&l.energy, &sources, world, e);
    if (code) {
        json_decref(l.work);
        training_close_inputs(o);
        return code;
    }
    cli_progress_open(&l.progress, cli_page(&f->output), world, plan);
    o->on_step = cli_progress_step;
    o->on_phase = cli_progress_phase;
    o->on_window = on_window;
    o->on_result = on_result;
    o->context = &l;
    json_t *about = about_of(&l);
    o->about = about;
    guard_stop_watch();
    code = train_run(&result, plan, o, world, &trainer->ops, &trainer->place, e);
    cli_progress_close(&l.progress);
    if (!code) code = exit_code(&result, f, e);
    train_free(&result);
    json_decref(about), json_decref(l.work);
    energy_close(l.energy);
    training_close_inputs(o);
    return code;
}

static int launches(struct comm *world, const struct training_flags *f, int argc, char *const *argv,
                    struct base_error *e) {
    const struct cli_launches asked = {.launches = f->launches,
                                       .ci = isnan(f->ci) ? TRAINING_USUAL_CI : f->ci,
                                       .budget_s = f->budget,
                                       .passes_budget = true};
    return cli_launches_run(world, &training_command, argc, argv, &asked, &f->launch, &f->output, e);
}

static int command(struct comm *world, const struct training_flags *f, struct training *s, struct cli_journal *journal,
                   int argc, char *const *argv, struct base_error *e) {
    struct cli_trainer trainer;
    struct plan plan;
    if (!strcmp(f->energy, "list")) return list_energy(world, f, e);
    int code = cli_launch_check(&f->launch, e);
    if (!code && f->layout.reproducible && strcmp(f->backend, "toise"))
        code = base_fail(e, BASE_USAGE,
                         "--reproducible needs the order of additions of toise's matmuls, and --backend %.40s promises "
                         "none; leave out one of them",
                         f->backend);
    if (!code && f->launches && !f->launch.index) return launches(world, f, argc, argv, e);
    if (!code) code = training_resolve(f, world, s, e);
    if (!code) code = cli_trainer_read(&trainer, f->backend, e);
    if (!code) s->options.loaded = trainer.backend.path != NULL;
    const struct energy_options sources = energy_options(f, NULL);
    if (!code) code = energy_check(&sources, e);
    if (!code) code = inject_open(f->inject, world->rank, world->node, world->size, world->nodes, e);
    if (!code && f->checkpoint) code = training_begin_from(f, s, e);
    if (!code && world->rank == 0) code = training_check_outputs(f, s->options.from, e);
    if ((code = comm_agree(world, code, e))) return code;
    if ((code = cli_guard_open(world, f->timeout, e))) return code;
    if ((code = cli_trainer_place(&trainer, world, s->request.threads, e))) return code;
    s->request.threads = trainer.place.threads;
    if (f->dry_run) return dry_run(world, s, f, trainer.place.threads_from, e);
    if ((code = cli_trainer_pin(&trainer, world, (enum measure_bind)f->bind, e))) return code;
    base_topology_caches(&trainer.topology, trainer.place.threads, world->local_size, &s->request.caches);
    code = comm_agree(world, training_plan(world, s, &plan, e), e);
    return code ? code : train(world, f, s, &plan, &trainer, journal, e);
}

/* The journal's run: how many ranks and nodes. */
static int head_layout(const struct journal_past *past, struct comm *then, struct base_error *e) {
    static const char *const fields[] = {"layout.world", "layout.nodes", "layout.threads", "layout.micro_batch",
                                         "config.global_batch"};
    for (int i = 0; i < 5; i++)
        if (record_whole(past->head, fields[i]) < 1)
            return base_fail(e, BASE_USAGE, "%s: its head has no %s of at least 1: give another journal", past->path,
                             fields[i]);
    then->size = (int)record_whole(past->head, "layout.world");
    then->nodes = (int)record_whole(past->head, "layout.nodes");
    return BASE_OK;
}

/* --recover: the record of a run that is gone, planned again as it was. */
static int recover(struct comm *world, const struct training_flags *f, const struct journal_past *past,
                   struct base_error *e) {
    struct training s;
    struct plan plan;
    struct train_result r = {0};
    struct comm then = *world; /* for its numbers alone */
    int code = cli_alone(world, &training_command, e);
    if (!code) code = head_layout(past, &then, e);
    if (!code) code = record_check(f->output.out, e);
    if (!code) code = training_resolve(f, &then, &s, e);
    if (code) return code;
    s.request.layout.micro_batch = record_whole(past->head, "layout.micro_batch");
    s.request.global_batch = record_whole(past->head, "config.global_batch");
    s.request.threads = (int)record_whole(past->head, "layout.threads");
    s.options.loaded = record_at(past->head, "machine.blas");
    s.options.first_step = record_whole(past->head, "first_step");
    const struct train_identity id = training_identity(&s, NULL, record_text(past->head, "layout.threads_from"));
    if (!code) code = plan_make(&plan, &s.request, e);
    if (!code) code = journal_recover(past, &plan, &s.options, &r, e);
    json_t *record = code ? NULL : journal_recovered(past, &r, &plan, &s.options, &id, &then);
    if (!code) code = emit(f, record, e);
    json_decref(record);
    if (!code) code = exit_code(&r, f, e);
    train_free(&r);
    return code;
}

int command_train(struct comm *world, int argc, char *const *argv, struct base_error *e) {
    struct cli_journal journal = {0};
    struct training setup = {.from = {.about = NULL}};
    struct training_flags flags;
    int code = training_read_flags(&flags, &journal, world, argc, argv, e);
    if (!code && flags.output.help)
        code = cli_help(world, &training_command);
    else if (!code && flags.journal.recover)
        code = recover(world, &flags, &journal.past, e);
    else if (!code)
        code = command(world, &flags, &setup, &journal, argc, argv, e);
    cli_journal_close(&journal);
    checkpoint_close(&setup.from);
    return code;
}
