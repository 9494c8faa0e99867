/* SPDX-License-Identifier: Apache-2.0
 *
 * The callbacks of a sweep: a point trained, its record kept and shown, the points ahead predicted. */
#include "cli/sweep.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "draw/scale.h"
#include "inventory/place.h"
#include "report/report.h"
#include "scale/scale.h"

/* What the callbacks need. */
struct state {
    const struct cli_sweep *c;
    struct sweep sweep;
    struct record_launch launch;
    FILE *page;
    int ranks_of_node;             /* of the allocation */
    struct record_loaded *records; /* on rank 0: of collectives, runs and predictions */
    size_t count;
    int runs;
    double began;
};

/* One run on its group, from the callback of a sweep to that of a training. */
struct run {
    struct state *s;
    const struct sweep_run *run;
    const struct plan *plan;
    const struct train_options *options;
    struct comm *group;
    struct energy *energy;
    json_t *record;
};

/* Compares the run with the base, and judges it anew. */
static int on_result(void *context, struct train_result *r, struct base_error *e) {
    struct run *run = context;
    struct state *s = run->s;
    const struct record_scaling at = sweep_scaling(&s->sweep, run->run);
    const struct train_identity id = {
        s->c->workload->name, s->c->workload->version, &s->launch, s->c->trainer->place.threads_from, &at,
        s->c->options.overlap};
    (void)e;
    sweep_check(&s->sweep.base, &at, run->plan->shape.dtype, r);
    train_verdict(r, run->options, run->plan->ledger.model_flop);
    run->record = cli_trainer_record(s->c->trainer, r, run->plan, run->options, &id, run->energy, run->group);
    return BASE_OK;
}

static int train_plan(struct run *run, struct train_options *o, struct base_error *e) {
    const struct cli_trainer *t = run->s->c->trainer;
    const struct energy_options sources = {
        .root = "", .cpus = &t->place.cpus, .threads = t->place.pinned ? t->place.threads : t->place.cpus.count};
    struct train_result result = {0};
    struct measure_placement place = t->place;
    /* where ranks share CPUs, those that sleep leave theirs to the others */
    place.cpus_per_thread = fmin(1, place.cpus_per_thread * run->s->ranks_of_node / run->group->local_size);
    int code = train_inputs(o, run->plan, run->group, e);
    if (!code) code = energy_open(&run->energy, &sources, run->group, e);
    o->on_result = on_result;
    o->context = run;
    run->options = o;
    if (!code) code = train_run(&result, run->plan, o, run->group, &t->ops, &place, e);
    train_free(&result);
    energy_close(run->energy);
    data_close(o->source);
    return code;
}

/* A callback of the sweep. */
static int train_point(void *context, struct comm *group, const struct sweep_run *run, json_t **record,
                       struct base_error *e) {
    struct state *s = context;
    const struct sweep_point *p = &s->c->points->at[run->point];
    struct plan_request request = s->c->request;
    struct train_options options = s->c->options;
    json_t *place = NULL;
    struct plan plan;
    struct run this = {.s = s, .run = run, .plan = &plan, .group = group};
    request.layout = plan_layout_data_parallel(p->ranks, request.layout.micro_batch);
    request.global_batch = p->global_batch;
    request.rank = group->rank;
    base_topology_caches(&s->c->trainer->topology, request.threads, group->local_size, &request.caches);
    int code = comm_agree(group, plan_make(&plan, &request, e), e);
    if (!code) code = inventory_place(group, &place, e);
    s->launch.nodes = group->nodes;
    s->launch.place = place;
    if (!code) code = train_plan(&this, &options, e);
    json_decref(place);
    *record = this.record;
    return code;
}

/* Keeps a record for the curve. Takes it over. */
static int keep(struct state *s, json_t *record, struct base_error *e) {
    struct record_loaded *more = realloc(s->records, (s->count + 1) * sizeof *more);
    if (!more) {
        json_decref(record);
        return base_fail(e, BASE_BROKEN, "out of memory for %zu records", s->count + 1);
    }
    s->records = more;
    s->records[s->count++] = (struct record_loaded){.record = record};
    return BASE_OK;
}

/* A line for people. */
static void say(struct state *s, const struct sweep_run *run, const json_t *record) {
    const int n = s->c->points->at[run->point].n, due = s->c->order->count - ++s->runs;
    const double took = base_clock_now() - s->began, rate = record_real(record, "result.tokens_per_s");
    char left[32] = "", tokens[48] = "no rate";
    base_text_duration(took / s->runs * due, left, sizeof left);
    if (rate > 0) snprintf(tokens, sizeof tokens, "%.5g tokens/s", rate);
    fprintf(s->page, "run %3d of %d   %4d %-5s   repeat %d   %-18s   %s%s%s%s\n", s->runs, s->c->order->count, n,
            sweep_unit_text(s->c->asked->unit, n), run->repeat, tokens, record_text(record, "status"),
            due ? "   about " : "", due ? left : "", due ? " left" : "");
    if (!strcmp(record_text(record, "status"), "FAILED"))
        fprintf(s->page, "            %s\n", record_text(record, "why"));
    fflush(s->page);
}

/* A callback of the sweep, on rank 0. */
static int take(void *context, const struct sweep_run *run, json_t *record, struct base_error *e) {
    struct state *s = context;
    const int code = cli_emit(s->c->output, record, e);
    say(s, run, record);
    const int kept = keep(s, record, code ? NULL : e);
    return code ? code : kept;
}

static struct scale_options options_of(const struct state *s, const json_t *skipped) {
    return (struct scale_options){
        .mode = (int)s->c->asked->mode, .unit = (int)s->c->asked->unit, .skipped = skipped, .why = s->sweep.why};
}

/* Keeps the record of predictions, if it has any. */
static int write_down(struct state *s, json_t *record, const struct scale_options *o, struct base_error *e) {
    if (!json_array_size(record_at(record, "result.predictions"))) {
        fputs("no prediction of larger points: it needs all-reduces of toise comm, or more points\n", s->page);
        return BASE_OK;
    }
    const int code = cli_emit(s->c->output, record, e);
    fprintf(s->page, "predicted before running:");
    for (int i = o->ahead; i-- > 0;)
        fprintf(s->page, " %d %s%s", o->n[i], sweep_unit_text(s->c->asked->unit, o->n[i]), i ? "," : "\n");
    return code ? code : keep(s, json_incref(record), e);
}

/* A callback of the sweep, on rank 0: writes down what the points ahead should be. The sweep goes on without. */
static int predict(void *context, struct base_error *e) {
    struct state *s = context;
    const struct sweep_order *order = s->c->order;
    const struct sweep_points *points = s->c->points;
    json_t *skipped = sweep_points_skipped(points), *record = NULL;
    struct scale_options o = options_of(s, skipped);
    struct base_error why = {0};
    for (int i = points->count; i-- > 0 && o.ahead < order->larger;)
        if (!points->at[i].skipped[0]) o.n[o.ahead++] = points->at[i].n;
    int code = BASE_OK;
    if (scale_curve(s->records, s->count, &o, &record, &why))
        fprintf(stderr, "toise: no prediction of larger points: %s\n", why.text);
    else
        code = write_down(s, record, &o, e);
    json_decref(record);
    json_decref(skipped);
    return code;
}

int cli_sweep_show(const struct cli_output *output, const char *svg, const json_t *curve, struct base_error *e) {
    FILE *page = cli_page(output);
    int code = cli_emit(output, curve, e);
    report_scale(page, curve);
    if (!code && svg) code = draw_scale(curve, svg, e);
    if (!code && svg) fprintf(page, "drawn into  %s\n", svg);
    if (fflush(page) && !code) code = base_fail(e, BASE_BROKEN, "cannot write to standard output");
    return code ? code : cli_verdict(curve, e);
}

/* The curve of what was measured. A sweep that broke has one, too. */
static int conclude(struct state *s, struct base_error *e) {
    json_t *skipped = sweep_points_skipped(s->c->points), *curve = NULL;
    const struct scale_options o = options_of(s, skipped);
    fputc('\n', s->page);
    int code = scale_curve(s->records, s->count, &o, &curve, e);
    if (!code) code = cli_sweep_show(s->c->output, s->c->svg, curve, e);
    json_decref(curve);
    json_decref(skipped);
    return code;
}

/* Keeps a record of the machine: all-reduces, roofs. A callback of record_read. */
static int keep_measured(void *context, const struct record_line *line) {
    const char *kind = record_text(line->record, "kind");
    if (strcmp(kind, "comm") != 0 && strcmp(kind, "roofs") != 0) return BASE_OK;
    return keep(context, json_incref((json_t *)(uintptr_t)line->record), line->e);
}

/* Those of --comm, and those that stand in --out already. */
static int keep_machine(struct state *s, struct base_error *e) {
    const char *out = s->c->output->out;
    int code = BASE_OK;
    for (size_t i = 0; i < s->c->more->count && !code; i++)
        code = keep_measured(s, &(struct record_line){.record = s->c->more->at[i].record, .e = e});
    return code || !out || access(out, F_OK) ? code : record_read(out, keep_measured, s, e);
}

int cli_sweep_run(const struct cli_sweep *c, struct comm *world, struct base_error *e) {
    struct state s = {
        .c = c, .page = cli_page(c->output), .ranks_of_node = world->local_size, .began = base_clock_now()};
    struct base_error ended = {0};
    s.sweep = (struct sweep){.points = c->points,
                             .order = c->order,
                             .units = c->units,
                             .mode = c->asked->mode,
                             .unit = c->asked->unit,
                             .budget_s = c->budget_s,
                             .train = train_point,
                             .take = take,
                             .predict = predict,
                             .context = &s};
    cli_launch_open(world, c->launch, &s.launch);
    int code = comm_agree(world, world->rank ? BASE_OK : keep_machine(&s, e), e);
    if (!code) code = sweep_run(&s.sweep, world, e);
    if (code) snprintf(s.sweep.why, sizeof s.sweep.why, "it broke off: %.160s", e->text);
    const int end = comm_agree(world, world->rank || !s.runs ? BASE_OK : conclude(&s, &ended), &ended);
    if (!code && end) code = base_fail(e, end, "%s", ended.text);
    for (size_t i = 0; i < s.count; i++) json_decref(s.records[i].record);
    free(s.records);
    sweep_close(&s.sweep);
    return code;
}
