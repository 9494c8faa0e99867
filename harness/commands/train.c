/* SPDX-License-Identifier: Apache-2.0
 *
 * toise train: flags, plan, memory check, run, record, report. Ranks agree on every error before any of them leaves. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint/folder.h"
#include "cli/journal.h"
#include "cli/paths.h"
#include "cli/progress.h"
#include "cli/trainer.h"
#include "commands/commands.h"
#include "commands/train_options.h"
#include "guard/stop.h"
#include "inject/inject.h"
#include "journal/recover.h"
#include "records/get.h"
#include "records/record.h"
#include "records/set.h"
#include "report/report.h"

enum { USUAL_WARMUP = 2 }; /* steps, if --steps fixes the work */
static const double USUAL_CI = 0.05, USUAL_BUDGET_S = 120;

/* What the flags resolve to. */
struct setup {
    struct plan_request request;
    struct train_options options;
    struct cli_workload workload; /* .name[0] == 0: none */
    struct checkpoint from;       /* .about NULL: the start */
};

/* Data parallel ranks are what remains of the world. */
static int resolve_layout(const struct flags *f, int world, struct plan_layout *l, struct base_error *e) {
    *l = plan_layout_data_parallel(1, f->micro_batch);
    l->tp = (int)f->tp, l->sequence_parallel = f->sp, l->zero = (int)f->zero, l->recompute = f->recompute;
    l->pp = (int)f->pp, l->vp = (int)f->vp, l->schedule = f->schedule;
    const int code = plan_grid_fill(l, world, e);
    return !code && f->order ? plan_grid_order(l, f->order, e) : code;
}

/* The default workload applies unless a flag sets something that it fixes. The micro-batch is chosen later, when memory
 * is known. */
static int resolve_sizes(const struct flags *f, int world, int nodes, struct setup *s, struct base_error *e) {
    const struct cli_training *t = &f->training;
    struct plan_request *r = &s->request;
    const bool plain = !t->model && !t->seq && !t->global_batch && !t->layers && !f->data && isnan(f->lr) && !f->init;
    const char *model = t->model;
    char beside[PATH_MAX];
    int code = BASE_OK;
    if ((code = resolve_layout(f, world, &r->layout, e))) return code;
    if (f->workload || plain)
        return cli_trainer_workload(f->workload ? f->workload : "node-s", nodes, &s->workload, r, e);
    const char *weights = f->checkpoint ? f->checkpoint : f->init;
    if (weights && !model && (code = cli_catalog_beside(weights, beside, e))) return code;
    if (weights && !model) model = beside;
    if ((code = cli_catalog_model(model ? model : CLI_MODEL, &r->config, e))) return code;
    if (t->layers && (code = model_config_slice(&r->config, t->layers, e))) return code;
    r->seq = t->seq ? t->seq : cli_usual_seq(&r->config);
    const int64_t dp = r->layout.dp;
    const int64_t each = r->layout.pp > 1 ? 4 * r->layout.pp : 1; /* which keeps the pipeline's bubble small */
    r->global_batch = t->global_batch ? t->global_batch : dp * each > 4 ? dp * each : 4;
    if (!t->global_batch && r->global_batch % dp) r->global_batch = dp;
    return BASE_OK;
}

/* Sets every default except threads and the micro-batch (0: not given). */
static int resolve(const struct flags *f, const struct comm *real, struct setup *s, struct base_error *e) {
    const int world = f->world ? (int)f->world : real->size;
    const int nodes = f->world ? (world + real->local_size - 1) / real->local_size : real->nodes;
    *s = (struct setup){.request = {.dtype = (enum kernel_dtype)f->training.precision,
                                    .rank = f->world ? 0 : real->rank,
                                    .threads = (int)f->threads,
                                    .gate = !f->no_gate},
                        .workload.optimizer = parallel_optimizer_default()};
    int code = resolve_sizes(f, world, nodes, s, e);
    if (!code && f->stage_layers)
        code = plan_layout_list(&s->request.layout, f->stage_layers, s->request.config.layers, e);
    s->options = (struct train_options){.optimizer = s->workload.optimizer,
                                        .data = {.path = f->data, .format = f->format},
                                        .seed = (uint64_t)f->seed,
                                        .steps = (int)f->steps,
                                        .min_steps = (int)f->min_steps,
                                        .warmup = f->warmup >= 0 ? (int)f->warmup
                                                  : f->steps     ? USUAL_WARMUP
                                                                 : -1,
                                        .overlap = (enum train_overlap_mode)f->overlap,
                                        .overlap_pairs = f->warmup < 0,
                                        .ci = !isnan(f->ci) ? f->ci
                                              : f->steps    ? INFINITY
                                                            : USUAL_CI,
                                        .one_of_many = f->launch.index > 0,
                                        .budget_s = isnan(f->budget) ? USUAL_BUDGET_S : f->budget,
                                        .gate = !f->no_gate,
                                        .init = f->init,
                                        .profile = f->profile,
                                        .trace = f->trace,
                                        .save = f->save,
                                        .save_every = f->save_every,
                                        .keep = (int)f->keep};
    if (isnan(f->lr) || f->lr == s->options.optimizer.lr) return code;
    s->options.optimizer.lr = f->lr;
    s->options.optimizer.lr_min = f->lr / 10;
    return code;
}

/* Prints the record as JSON or as text. */
static void show(const struct flags *f, const json_t *record, void (*page)(FILE *, const json_t *)) {
    if (f->output.json)
        cli_print_json(record);
    else
        page(stdout, record);
}

/* Chooses the sizes that depend on the machine, then plans. Refuses a plan that does not fit. Collective. */
static int make_plan(struct comm *world, struct setup *s, struct plan *plan, struct base_error *e) {
    int local;
    const double available = cli_least_memory(world, &local);
    struct plan_request *r = &s->request;
    if (!r->layout.micro_batch && r->global_batch % r->layout.dp == 0)
        plan_choose_micro_batch(r, r->global_batch / r->layout.dp, local, available);
    if (!r->layout.micro_batch) r->layout.micro_batch = 1;
    int code = plan_make(plan, r, e);
    return code ? code : plan_check_memory(plan, local, available, e);
}

/* Writes the record, then shows it, on rank 0. */
static int emit(const struct flags *f, const json_t *record, struct base_error *e) {
    int code = cli_emit(&f->output, record, e);
    if (!f->output.json) report_train(stdout, record);
    if (fflush(stdout) && !code) code = base_fail(e, BASE_BROKEN, "cannot write the report to standard output");
    return code;
}

/* Whether --save can be written. make: creates the folders above it, after all other checks passed. */
static int ask_save(const struct flags *f, const struct checkpoint *from, bool make, struct base_error *e) {
    if (!f->save) return BASE_OK;
    return f->save_every ? checkpoint_root_check(f->save, from, make, e) : checkpoint_folder_check(f->save, make, e);
}

/* Each rank writes its part of a checkpoint. */
static int see_save(const struct flags *f, const struct comm *world, struct base_error *e) {
    if (!f->save_every || !access(f->save, W_OK | X_OK)) return BASE_OK;
    return base_fail(e, BASE_USAGE, "--save %s: rank %d cannot write there: %s; name a folder that all nodes share",
                     f->save, world->rank, strerror(errno));
}

/* Checks before any long work whether outputs can be written. Creates nothing. Dry runs do it, too. */
static int ask_outputs(const struct flags *f, const struct checkpoint *from, struct base_error *e) {
    const char *journal = f->journal.folder;
    const char *out = f->output.out, *save = f->save;
    if (out && save && (cli_path_within(out, save) || cli_path_within(save, out)))
        return base_fail(e, BASE_USAGE, "--out and --save: %s cannot be a file and a folder; give two different paths",
                         cli_path_within(out, save) ? save : out);
    if (f->save_every && journal && cli_path_within(journal, save))
        return base_fail(e, BASE_USAGE, "--journal-dir %s: is in the folder of checkpoints; name another", journal);
    int code = cli_options_apart(&COMMAND, f, e);
    if (!code) code = record_check(out, e);
    if (!code) code = record_check_anew(f->trace, "--trace", e);
    if (!code) code = cli_journal_ask(&f->journal, e);
    return code ? code : ask_save(f, from, false, e);
}

/* Opens what the run reads: data, weights, and the earlier records of --out. Rank 0 reads the records, also without the
 * gate, to refuse a file that holds none. Dry runs do it, too. Collective. */
static int open_inputs(struct comm *world, const struct flags *f, const struct plan *plan, struct train_options *o,
                       struct base_error *e) {
    int code = BASE_OK;
    if (world->rank == 0 && f->output.out) code = train_history(f->output.out, plan, o, e);
    if ((code = comm_agree(world, code, e)) || (code = train_inputs(o, plan, world, e))) return code;
    return o->from ? train_same_work(plan, o, e) : BASE_OK; /* the same on all ranks, as train_inputs compared */
}

static void close_inputs(struct train_options *o) {
    data_close(o->source);
    free(o->history.loss);
}

/* --resume DIR. The global batch is the checkpoint's: a workload's would be that of this world. */
static int begin_from(const struct flags *f, struct setup *s, struct base_error *e) {
    const int code = checkpoint_open(&s->from, f->checkpoint, e);
    if (code) return code;
    s->options.from = &s->from, s->options.first_step = s->from.step;
    if (s->workload.name[0]) s->request.global_batch = record_whole(s->from.about, "config.global_batch");
    return BASE_OK;
}

static struct train_identity identity(const struct setup *s, const struct record_launch *launch, const char *from) {
    const struct cli_workload *w = &s->workload;
    return (struct train_identity){w->name[0] ? w->name : NULL, w->version, launch, from, NULL, s->options.overlap};
}

/* The map of ranks, on rank 0: on the nodes of this world, or of --world if --ranks-per-node says. Collective. */
static int list_ranks(struct comm *world, const struct flags *f, const struct plan_layout *l, json_t **grid,
                      struct base_error *e) {
    const int ranks = plan_layout_world(l);
    int *node = ranks > PLAN_RANKS_LISTED ? NULL : malloc((size_t)ranks * sizeof *node);
    int code =
        node || ranks > PLAN_RANKS_LISTED ? BASE_OK : base_fail(e, BASE_BROKEN, "out of memory for %d ranks", ranks);
    if (!(code = comm_agree(world, code, e)) && node && !f->world)
        world->ops->all_gather(world, &world->node, sizeof *node, node);
    for (int r = 0; !code && node && f->ranks_per_node && r < ranks; r++) node[r] = r / (int)f->ranks_per_node;
    if (!code && world->rank == 0) *grid = plan_grid_record(l, f->world && !f->ranks_per_node ? NULL : node);
    free(node);
    return code;
}

static int dry_run(struct comm *world, struct setup *s, const struct flags *f, const char *from, struct base_error *e) {
    const struct train_identity id = identity(s, NULL, from);
    const double process_bytes = train_process_bytes(world);
    struct plan plan;
    json_t *grid = NULL;
    struct plan_request *r = &s->request;
    if (!r->layout.micro_batch) plan_choose_micro_batch(r, r->global_batch / r->layout.dp, 1, -1);
    int code = comm_agree(world, plan_make(&plan, r, e), e);
    if (!code) code = open_inputs(world, f, &plan, &s->options, e);
    if (!code) code = list_ranks(world, f, &r->layout, &grid, e);
    if (!code && world->rank == 0) {
        json_t *record = train_plan_record(&plan, &id, process_bytes);
        if (f->data) json_object_set_new(record, "data", json_string(data_describe(s->options.source)));
        json_object_update_new(record, grid);
        show(f, record, report_plan);
        json_decref(record);
    }
    close_inputs(&s->options);
    return code;
}

static int exit_code(const struct train_result *r, const struct flags *f, struct base_error *e) {
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
    const struct flags *flags;
    const struct setup *setup;
    const struct plan *plan;
    const struct cli_trainer *trainer;
    struct record_launch launch;
    struct energy *energy;
    struct cli_journal *journal;
    json_t *work; /* for checkpoints */
};

static struct energy_options energy_options(const struct flags *f, const struct measure_placement *place) {
    struct energy_options o = {
        .root = f->energy_root ? f->energy_root : "", .choice = f->energy, .command = f->power_command};
    if (place) o.cpus = &place->cpus, o.threads = place->pinned ? place->threads : place->cpus.count;
    return o;
}

/* --energy list: what this node can read. */
static int list_energy(struct comm *world, const struct flags *f, struct base_error *e) {
    const struct energy_options o = energy_options(f, NULL);
    int code = cli_alone(world, &COMMAND, e);
    if (code) return code;
    json_t *all = energy_list(&o);
    show(f, all, report_energy_list);
    json_decref(all);
    return BASE_OK;
}

static int on_result(void *context, struct train_result *r, struct base_error *e) {
    struct launch *l = context;
    const struct train_identity id = identity(l->setup, &l->launch, l->trainer->place.threads_from);
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

/* Adds "NAME=VALUE"; a failure leaves fewer words than `count` says. */
static void add_word(json_t *words, int *count, const char *name, const char *value) {
    ++*count;
    json_array_append_new(words, json_sprintf("%s=%s", name, value));
}

/* The flags with which this work can be asked for again. Of a model in a file the checkpoint's own config.json is read.
 * NULL: one is not UTF-8. */
static json_t *work_of(const struct flags *f, const struct setup *s) {
    const struct cli_training *t = &f->training;
    const bool file = t->model ? !access(t->model, F_OK) : f->init || f->checkpoint;
    char number[32], path[PATH_MAX];
    json_t *words = json_array();
    int count = 0;
    if (s->workload.name[0]) add_word(words, &count, WORK[0], s->workload.name);
    if (!s->workload.name[0] && !file) add_word(words, &count, WORK[1], t->model ? t->model : CLI_MODEL);
    snprintf(number, sizeof number, "%lld", (long long)t->layers);
    if (t->layers && !file) add_word(words, &count, WORK[2], number);
    add_word(words, &count, WORK[3], cli_training_precision((int)t->precision));
    snprintf(number, sizeof number, "%lld", (long long)s->request.seq);
    if (!s->workload.name[0]) add_word(words, &count, WORK[4], number);
    snprintf(number, sizeof number, "%lld", (long long)s->request.global_batch);
    if (!s->workload.name[0]) add_word(words, &count, WORK[5], number);
    snprintf(number, sizeof number, "%lld", (long long)f->seed);
    add_word(words, &count, WORK[6], number);
    snprintf(number, sizeof number, "%.17g", f->lr);
    if (!isnan(f->lr)) add_word(words, &count, WORK[7], number);
    if (f->data) add_word(words, &count, WORK[8], realpath(f->data, path) ? path : f->data);
    if (f->format) add_word(words, &count, WORK[9], f->format);
    if ((int)json_array_size(words) == count) return words;
    json_decref(words);
    return NULL;
}

/* What a checkpoint says of its run. */
static json_t *about_of(const struct launch *l) {
    const struct train_identity id = identity(l->setup, &l->launch, l->trainer->place.threads_from);
    json_t *o = json_object();
    record_set(o, "config", train_config(l->plan, &l->setup->options));
    record_set(o, "layout", train_layout(l->plan, l->world->nodes, &id));
    record_set(o, "launch", record_launch_json(&l->launch));
    record_set(o, "first samples", json_string(l->setup->options.samples));
    record_set(o, "arguments", json_incref(l->work));
    return o;
}

static int open_journal(struct launch *l, struct train_options *o, struct base_error *e) {
    const struct train_identity id = identity(l->setup, &l->launch, l->trainer->place.threads_from);
    const struct cli_journal_run run = {l->trainer, l->plan, o, &id, l->flags->output.out};
    if (l->flags->journal.resume) o->earlier = &l->journal->earlier;
    return cli_journal_open(l->journal, &l->flags->journal, &run, l->world, e);
}

/* Tensor parallel ranks talk most, so they belong on one node. Collective. */
static int warn_apart(struct comm *world, const struct flags *f, const struct plan *plan, struct base_error *e) {
    const struct plan_layout *l = &plan->request.layout;
    json_t *grid = NULL;
    const int code = l->tp > 1 && world->nodes > 1 ? list_ranks(world, f, l, &grid, e) : BASE_OK;
    const long long nodes = record_whole(grid, "group_nodes.tp");
    if (nodes > 1 && l->tp <= world->local_size)
        fprintf(
            stderr,
            "toise: %d tensor parallel ranks that fit on one node are on %lld: start neighbours on one node (mpirun "
            "--map-by slot, srun --distribution=block), or give another --order\n",
            l->tp, nodes);
    json_decref(grid);
    return code;
}

static int train(struct comm *world, const struct flags *f, struct setup *s, const struct plan *plan,
                 const struct cli_trainer *trainer, struct cli_journal *journal, struct base_error *e) {
    struct train_options *o = &s->options;
    struct launch l = {.world = world, .flags = f, .setup = s, .plan = plan, .trainer = trainer, .journal = journal};
    struct train_result result = {0};
    const struct energy_options sources = energy_options(f, &trainer->place);
    int code = open_inputs(world, f, plan, o, e);
    if (!code) code = comm_agree(world, world->rank ? BASE_OK : ask_save(f, o->from, true, e), e);
    if (!code) code = comm_agree(world, see_save(f, world, e), e);
    if (!code) code = warn_apart(world, f, plan, e);
    cli_launch_open(world, &f->launch, &l.launch);
    if (!code) code = open_journal(&l, o, e);
    l.work = work_of(f, s);
    if (!code && f->save_every && !l.work)
        code = base_fail(e, BASE_USAGE, "a checkpoint holds no flag that is not UTF-8: rename the file");
    if (!code) code = energy_open(&l.energy, &sources, world, e);
    if (code) {
        json_decref(l.work);
        close_inputs(o);
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
    close_inputs(o);
    return code;
}

static int launches(struct comm *world, const struct flags *f, int argc, char *const *argv, struct base_error *e) {
    const struct cli_launches asked = {
        .launches = f->launches, .ci = isnan(f->ci) ? USUAL_CI : f->ci, .budget_s = f->budget, .passes_budget = true};
    return cli_launches_run(world, &COMMAND, argc, argv, &asked, &f->launch, &f->output, e);
}

static int command(struct comm *world, const struct flags *f, struct setup *s, struct cli_journal *journal, int argc,
                   char *const *argv, struct base_error *e) {
    struct cli_trainer trainer;
    struct plan plan;
    if (!strcmp(f->energy, "list")) return list_energy(world, f, e);
    int code = cli_launch_check(&f->launch, e);
    if (!code && f->launches && !f->launch.index) return launches(world, f, argc, argv, e);
    if (!code) code = resolve(f, world, s, e);
    if (!code) code = cli_trainer_read(&trainer, f->backend, e);
    if (!code) s->options.loaded = trainer.backend.path != NULL;
    const struct energy_options sources = energy_options(f, NULL);
    if (!code) code = energy_check(&sources, e);
    if (!code) code = inject_open(f->inject, world->rank, world->node, world->size, world->nodes, e);
    if (!code && f->checkpoint) code = begin_from(f, s, e);
    if (!code && world->rank == 0) code = ask_outputs(f, s->options.from, e);
    if ((code = comm_agree(world, code, e))) return code;
    if ((code = cli_guard_open(world, f->timeout, e))) return code;
    if ((code = cli_trainer_place(&trainer, world, s->request.threads, e))) return code;
    s->request.threads = trainer.place.threads;
    if (f->dry_run) return dry_run(world, s, f, trainer.place.threads_from, e);
    if ((code = cli_trainer_pin(&trainer, world, (enum measure_bind)f->bind, e))) return code;
    base_topology_caches(&trainer.topology, trainer.place.threads, world->local_size, &s->request.caches);
    code = comm_agree(world, make_plan(world, s, &plan, e), e);
    return code ? code : train(world, f, s, &plan, &trainer, journal, e);
}

/* The journal's run: how many ranks and nodes. */
static int head_layout(const struct journal_past *past, struct comm *then, struct base_error *e) {
    static const char *const fields[] = {"world", "nodes", "threads", "micro_batch"};
    for (int i = 0; i < 4; i++)
        if (record_whole(record_at(past->head, "layout"), fields[i]) < 1)
            return base_fail(e, BASE_USAGE, "%s: its head has no layout.%s of at least 1: give another journal",
                             past->path, fields[i]);
    then->size = (int)record_whole(past->head, "layout.world");
    then->nodes = (int)record_whole(past->head, "layout.nodes");
    return BASE_OK;
}

/* --recover: the record of a run that is gone, planned again as it was. */
static int recover(struct comm *world, const struct flags *f, const struct journal_past *past, struct base_error *e) {
    struct setup s;
    struct plan plan;
    struct train_result r = {0};
    struct comm then = *world; /* for its numbers alone */
    int code = cli_alone(world, &COMMAND, e);
    if (!code) code = head_layout(past, &then, e);
    if (!code) code = record_check(f->output.out, e);
    if (!code) code = resolve(f, &then, &s, e);
    if (code) return code;
    s.request.layout.micro_batch = record_whole(past->head, "layout.micro_batch");
    s.request.threads = (int)record_whole(past->head, "layout.threads");
    s.options.loaded = record_at(past->head, "machine.blas");
    s.options.first_step = record_whole(past->head, "first_step");
    const struct train_identity id = identity(&s, NULL, record_text(past->head, "layout.threads_from"));
    if (!code) code = plan_make(&plan, &s.request, e);
    if (!code) code = journal_recover(past, &plan, &s.options, &r, e);
    json_t *record = code ? NULL : journal_recovered(past, &r, &plan, &s.options, &id, &then);
    if (!code) code = emit(f, record, e);
    json_decref(record);
    if (!code) code = exit_code(&r, f, e);
    train_free(&r);
    return code;
}

/* Reads the flags, after those of the journal that --resume or --recover names. */
static int read_flags(struct flags *flags, struct cli_journal *journal, struct comm *world, int argc, char *const *argv,
                      struct base_error *e) {
    static const struct flags unset = {.lr = NAN, .ci = NAN, .budget = NAN, .warmup = -1};
    *flags = unset;
    int code = cli_options_read(&COMMAND, flags, argc, argv, e);
    struct cli_journal_flags asked = flags->journal;
    const bool saves = flags->save;
    if (code || flags->output.help) return code;
    if ((code = cli_journal_arguments(journal, &asked, WORK, argc, argv, world, e))) return code;
    *flags = unset;
    code = cli_options_read(&COMMAND, flags, journal->count, journal->arguments, e);
    flags->journal.resume = asked.resume, flags->journal.recover = asked.recover;
    if (code || !flags->save || !(asked.resume || asked.recover)) return code;
    if (saves)
        return base_fail(e, BASE_USAGE,
                         "--save and --resume of a journal cannot be combined: its steps are trained again, and "
                         "fewer of them; leave out --save, or go on from a checkpoint");
    if (world->rank == 0)
        fputs(
            "toise: --save is left out: a run that goes on from a journal trains its steps again, and fewer of them\n",
            stderr);
    flags->save = NULL, flags->save_every = flags->keep = 0;
    return BASE_OK;
}

int command_train(struct comm *world, int argc, char *const *argv, struct base_error *e) {
    struct cli_journal journal = {0};
    struct setup setup = {.from = {.about = NULL}};
    struct flags flags;
    int code = read_flags(&flags, &journal, world, argc, argv, e);
    if (!code && flags.output.help)
        code = cli_help(world, &COMMAND);
    else if (!code && flags.journal.recover)
        code = recover(world, &flags, &journal.past, e);
    else if (!code)
        code = command(world, &flags, &setup, &journal, argc, argv, e);
    cli_journal_close(&journal);
    checkpoint_close(&setup.from);
    return code;
}
