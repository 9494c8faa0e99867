/* SPDX-License-Identifier: Apache-2.0
 *
 * toise project: a record and a page for each machine, then a table that compares them with the first. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/catalog.h"
#include "commands/commands.h"
#include "commands/project_options.h"
#include "costmodel/stages.h"
#include "forecast/forecast.h"
#include "projection/budget.h"
#include "projection/record.h"
#include "projection/trace.h"
#include "records/catalog.h"
#include "records/record.h"

enum { MACHINES = 16, LISTED = 10, EVENTS_MOST = 2000000 };

struct launch {
    const struct flags *flags;
    FILE *page;
    struct model_config config;
    struct projection_question question;
    struct fit_result fitted;
    struct projection_outcome answers[MACHINES];
    json_t *records[MACHINES];
    int count;
};

/* Refuses values that contradict each other. */
static int check(const struct flags *f, struct base_error *e) {
    if (f->assumptions.ramp_tokens > 0 && f->tokens > 0 && f->assumptions.ramp_tokens > f->tokens)
        return base_fail(e, BASE_USAGE, "--ramp-tokens %g is more than --tokens %g; give fewer",
                         f->assumptions.ramp_tokens, f->tokens);
    if (f->trace && strchr(f->machines, ','))
        return base_fail(e, BASE_USAGE, "--trace %s holds one machine; give only one to --machine", f->trace);
    if (f->tokens > 0 && f->deadline > 0 && f->accelerators > 0)
        return base_fail(e, BASE_USAGE,
                         "--tokens with --deadline finds the number of accelerators; leave out --accelerators");
    return cli_options_apart(&COMMAND, f, e);
}

static int given(int64_t x) {
    return x > 0 ? (int)x : PLAN_FREE;
}

/* The question that the flags ask of every machine. */
static int ask(const struct flags *f, const struct model_config *config, struct projection_question *q,
               struct base_error *e) {
    projection_question_default(config, q);
    int code = f->seq > 0 ? projection_question_sequence(q, f->seq, e) : BASE_OK;
    if (code) return code;
    if (f->global_batch > 0) q->global_batch = f->global_batch;
    if (f->assumptions.ramp_batch > (double)q->global_batch)
        return base_fail(e, BASE_USAGE, "--ramp-batch %g is larger than the batch of %lld; give less",
                         f->assumptions.ramp_batch, (long long)q->global_batch);
    if (f->precision >= 0) q->dtype = PRECISIONS[f->precision];
    if (f->attention >= 0) q->fused = f->attention;
    q->framework = (enum cost_framework)f->framework;
    q->accelerators = (double)f->accelerators;
    q->blocking = f->blocking, q->slots = f->slots, q->grad_bytes = f->grad_bytes;
    q->choice = (struct plan_layout){
        .tp = given(f->tp),
        .pp = given(f->pp),
        .cp = given(f->cp),
        .vp = given(f->vp),
        .ep = f->ep > 0   ? (int)f->ep
              : f->search ? PLAN_FREE
                          : 1,
        .zero = (int)f->zero,
        .sequence_parallel = f->sp      ? 1
                             : f->no_sp ? 0
                                        : PLAN_FREE,
        .recompute = f->recompute,
        .schedule = f->schedule >= 0 ? (int)plan_schedule_of(f->schedule)
                    : f->search      ? PLAN_FREE
                                     : PLAN_1F1B,
        .micro_batch = given(f->micro_batch),
    };
    return BASE_OK;
}

/* Simulates the pipeline's events: for the trace, and as a check of the closed form. */
static int simulate(struct launch *l, struct projection_outcome *r, struct base_error *e) {
    const struct projection *p = &r->projection;
    struct cost_pipeline pipeline;
    struct cost_stage *stages = NULL;
    struct cost_event *events = NULL;
    struct cost_timeline t;
    const char *trace = l->flags->trace;
    r->simulated_s = NAN;
    if (p->job.layout.pp == 1 && p->job.layout.zero < 3 && !trace) return BASE_OK;
    int code = cost_stages_fill(&p->job, &p->step, &pipeline, &stages, e);
    if (!code && trace && cost_pipeline_events(&pipeline) > EVENTS_MOST)
        code = base_fail(e, BASE_USAGE, "--trace %s: %lld events are too many for trace viewers; take a smaller --gbs",
                         trace, (long long)cost_pipeline_events(&pipeline));
    if (!code && trace) {
        events = malloc((size_t)cost_pipeline_events(&pipeline) * sizeof *events);
        if (!events) code = base_fail(e, BASE_BROKEN, "out of memory for the trace of %s", p->machine->name);
    }
    if (!code && trace) code = cost_pipeline_run(&pipeline, &t, events, e);
    if (!code && trace) code = projection_trace_write(trace, l->config.name, events, t.events, e);
    if (!code && !trace) code = cost_pipeline_estimate(&pipeline, &t, e);
    if (!code) r->simulated_s = t.span - p->step.data_parallel;
    free(events), free(stages);
    return code;
}

/* The training cost of --tokens, or of the tokens that --hours and --deadline allow. */
static int cost(struct launch *l, struct projection_outcome *r, struct base_error *e) {
    const struct flags *f = l->flags;
    const struct cost_parameters *p = &l->fitted.parameters;
    const bool backward = f->tokens == 0 && (f->hours > 0 || f->deadline > 0);
    r->assumptions = f->assumptions;
    r->assumptions.tokens = f->tokens;
    r->has_cost = f->tokens > 0 || backward;
    if (backward)
        r->assumptions.tokens =
            projection_budget_tokens(&r->projection, p, &r->assumptions, f->hours > 0 ? f->hours : INFINITY,
                                     f->deadline > 0 ? f->deadline : INFINITY);
    return r->has_cost ? projection_cost_fill(&r->projection, p, &r->assumptions, &r->cost, e) : BASE_OK;
}

static int answer(struct launch *l, struct projection_outcome *r, json_t **record, struct base_error *e) {
    const struct flags *f = l->flags;
    const int most = f->search ? LISTED : 1;
    int code = BASE_OK;
    if (f->tokens > 0 && f->deadline > 0) {
        struct projection_assumptions assumptions = f->assumptions;
        bool met = false;
        assumptions.tokens = f->tokens;
        code = projection_budget_deadline(&r->machine, &l->question, &l->fitted, &assumptions, f->deadline, most,
                                          &r->projection, &r->search, &met, e);
        if (!met) r->verdict = "no number of its accelerators meets the deadline";
    } else {
        code = projection_make(&r->machine, &l->question, &l->fitted, most, &r->projection, &r->search, e);
    }
    if (!code && !r->projection.fits)
        r->has_would_fit = projection_budget_memory(&r->projection, &l->question, &l->fitted, &r->would_fit);
    if (!code) code = simulate(l, r, e);
    if (!code && f->slow_node > 0)
        code = cost_straggler_find(&r->projection.job, &r->projection.step, f->slow_node, &r->straggler, e);
    if (!code) code = cost(l, r, e);
    if (!code) *record = projection_record(r, &l->question, &l->fitted, f->search ? LISTED : 0, f->explain);
    return code;
}

static int refuse_measured(const char *machine, struct base_error *e) {
    return base_fail(e, BASE_USAGE, "--machine %s holds records of toise; run toise predict --machine %s", machine,
                     machine);
}

static int read_machine(struct launch *l, const char *name, struct base_error *e) {
    if (!*name)
        return base_fail(e, BASE_USAGE, "--machine %s: an empty name in the list; remove the extra comma",
                         l->flags->machines);
    if (l->count == MACHINES)
        return base_fail(e, BASE_USAGE, "--machine: more than %d machines; split them over several runs", MACHINES);
    struct machine *m = &l->answers[l->count].machine;
    const int code = machine_read(name, m, e);
    if (code) return code;
    l->count++;
    if (m->point_count > 0) return refuse_measured(name, e);
    return l->flags->set ? machine_set_list(m, l->flags->set, e) : BASE_OK;
}

static int read_machines(struct launch *l, struct base_error *e) {
    char *copy = strdup(l->flags->machines), *rest = copy;
    int code = copy ? BASE_OK : base_fail(e, BASE_BROKEN, "out of memory");
    for (char *name; !code && (name = strsep(&rest, ",")) != NULL;) code = read_machine(l, name, e);
    free(copy);
    return code;
}

/* Appends every record before it shows any. */
static int show(struct launch *l, struct base_error *e) {
    const struct flags *f = l->flags;
    int code = BASE_OK;
    bool failed = false;
    for (int i = 0; i < l->count && !code; i++) {
        if (i > 0) projection_record_against(l->records[i], &l->answers[0], &l->answers[i]);
        failed = failed || !strcmp(record_text(l->records[i], "status"), "FAILED");
        code = cli_emit(&f->output, l->records[i], e);
    }
    if (code) return code;
    for (int i = 0; i < l->count; i++) forecast_project(l->page, l->records[i]);
    if (l->count > 1) forecast_project_side_by_side(l->page, l->records, l->count);
    return failed ? BASE_NO : BASE_OK;
}

/* Reads the inputs and checks the outputs before any long work. */
static int prepare(struct launch *l, struct base_error *e) {
    const struct flags *f = l->flags;
    int code = cli_catalog_priced(f->model, &l->config, e);
    if (!code) code = ask(f, &l->config, &l->question, e);
    if (!code) code = fit_result_read(f->parameters, &l->fitted, e);
    if (!code) code = read_machines(l, e);
    if (!code) code = record_check(f->output.out, e);
    return code ? code : record_check_anew(f->trace, "--trace", e);
}

static int project(const struct flags *f, struct base_error *e) {
    struct launch *l = calloc(1, sizeof *l);
    if (!l) return base_fail(e, BASE_BROKEN, "out of memory");
    l->flags = f, l->page = cli_page(&f->output);
    int code = prepare(l, e);
    for (int i = 0; i < l->count && !code; i++) code = answer(l, &l->answers[i], &l->records[i], e);
    if (!code) code = show(l, e);
    for (int i = 0; i < l->count; i++) {
        json_decref(l->records[i]);
        cost_search_free(&l->answers[i].search);
        machine_close(&l->answers[i].machine);
    }
    fit_result_free(&l->fitted);
    free(l);
    return code;
}

/* The last value of `flag` among the arguments; "": it has no value; NULL: it is not given. */
static const char *value_of(int argc, char *const *argv, const char *flag) {
    const size_t n = strlen(flag);
    const char *value = NULL;
    for (int i = 0; i < argc; i++)
        if (!strncmp(argv[i], flag, n) && (!argv[i][n] || argv[i][n] == '='))
            value = argv[i][n] ? argv[i] + n + 1 : i + 1 < argc && argv[i + 1][0] != '-' ? argv[i + 1] : "";
    return value;
}

/* Names the new command for flags that became one. */
static int check_moved(int argc, char *const *argv, struct base_error *e) {
    const char *curve = value_of(argc, argv, "--curve"), *campaign = value_of(argc, argv, "--campaign");
    if (value_of(argc, argv, "--help") || value_of(argc, argv, "-h")) return BASE_OK;
    if (value_of(argc, argv, "--list-curves")) return base_fail(e, BASE_USAGE, "--list-curves: run toise curve --list");
    if (curve) return base_fail(e, BASE_USAGE, "--curve: run toise curve %s", *curve ? curve : "SERIES");
    if (campaign) return base_fail(e, BASE_USAGE, "--campaign: run toise programme %s", *campaign ? campaign : "NAME");
    return BASE_OK;
}

/* If the machine is a file of records, the refused flags may be those of toise predict. */
static int check_measured(int code, const char *machine, struct base_error *e) {
    const size_t n = machine ? strlen(machine) : 0;
    struct machine m;
    if (n < 6 || strcmp(machine + n - 6, ".jsonl") != 0 || machine_read(machine, &m, NULL)) return code;
    const bool measured = m.point_count > 0;
    machine_close(&m);
    return measured ? refuse_measured(machine, e) : code;
}

int command_project(struct comm *world, int argc, char *const *argv, struct base_error *e) {
    struct flags f = {.zero = PLAN_FREE};
    projection_assumptions_default(&f.assumptions);
    int code = check_moved(argc, argv, e);
    if (code) return code;
    code = cli_options_read(&COMMAND, &f, argc, argv, e);
    if (code) return check_measured(code, value_of(argc, argv, "--machine"), e);
    if (f.output.help) return cli_help(world, &COMMAND);
    if (!f.list) code = check(&f, e);
    if (!code) code = cli_alone(world, &COMMAND, e);
    if (code) return code;
    return f.list ? record_catalog_titles("machines", cli_print_title, NULL, e) : project(&f, e);
}
