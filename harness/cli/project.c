/* SPDX-License-Identifier: Apache-2.0
 *
 * toise project: machines one after the other, each a record and a page, then what they are to the first. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/catalog.h"
#include "cli/cli.h"
#include "cli/project_options.h"
#include "costmodel/stages.h"
#include "costmodel/trace.h"
#include "projection/budget.h"
#include "projection/record.h"
#include "records/catalog.h"
#include "records/record.h"
#include "report/report.h"

enum { LISTED = 10, EVENTS_MOST = 2000000 };

struct launch {
    const struct cli_project_flags *flags;
    FILE *page;
    struct model_config config;
    struct projection_question question;
    struct fit_result fitted;
    struct projection_outcome answers[CLI_MACHINES];
    json_t *records[CLI_MACHINES];
    int count;
};

/* The pipeline by events: what the closed form is checked against, and the trace. */
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
        code = base_fail(e, BASE_USAGE, "--trace %s: %lld events, more than viewers open; take a smaller --gbs", trace,
                         (long long)cost_pipeline_events(&pipeline));
    if (!code && trace) {
        events = malloc((size_t)cost_pipeline_events(&pipeline) * sizeof *events);
        if (!events) code = base_fail(e, BASE_BROKEN, "out of memory for the trace of %s", p->machine->name);
    }
    if (!code && trace) code = cost_pipeline_run(&pipeline, &t, events, e);
    if (!code && trace) code = cost_trace_write(trace, l->config.name, events, t.events, e);
    if (!code && !trace) code = cost_pipeline_estimate(&pipeline, &t, e);
    if (!code) r->simulated_s = t.span - p->step.data_parallel;
    free(events), free(stages);
    return code;
}

/* Forward: the bill of --tokens; backward: what --hours and --deadline allow. */
static int bill(struct launch *l, struct projection_outcome *r, struct base_error *e) {
    const struct cli_project_flags *f = l->flags;
    const struct cost_parameters *p = &l->fitted.parameters;
    const bool backward = f->tokens == 0 && (f->hours > 0 || f->deadline > 0);
    r->terms = f->terms;
    r->terms.tokens = f->tokens;
    r->billed = f->tokens > 0 || backward;
    if (backward)
        r->terms.tokens = projection_budget_tokens(&r->projection, p, &r->terms, f->hours > 0 ? f->hours : INFINITY,
                                                   f->deadline > 0 ? f->deadline : INFINITY);
    return r->billed ? projection_bill_fill(&r->projection, p, &r->terms, &r->bill, e) : BASE_OK;
}

static int refuse_measured(const char *machine, struct base_error *e) {
    return base_fail(e, BASE_USAGE, "--machine %s holds what toise measured: run toise predict --machine %s", machine,
                     machine);
}

static int answer(struct launch *l, const char *name, struct projection_outcome *r, struct base_error *e) {
    const struct cli_project_flags *f = l->flags;
    const int most = f->search ? LISTED : 1;
    int code = machine_read(name, &r->machine, e);
    if (code) return code;
    if (r->machine.point_count > 0) return refuse_measured(name, e);
    if (f->set) code = machine_set_list(&r->machine, f->set, e);
    if (!code && f->tokens > 0 && f->deadline > 0) {
        struct projection_terms terms = f->terms;
        bool met = false;
        terms.tokens = f->tokens;
        code = projection_budget_deadline(&r->machine, &l->question, &l->fitted, &terms, f->deadline, most,
                                          &r->projection, &r->search, &met, e);
        if (!met) r->verdict = "no number of its accelerators meets the deadline";
    } else if (!code) {
        code = projection_make(&r->machine, &l->question, &l->fitted, most, &r->projection, &r->search, e);
    }
    if (!code && !r->projection.fits)
        r->some = projection_budget_memory(&r->projection, &l->question, &l->fitted, &r->would_fit);
    if (!code) code = simulate(l, r, e);
    if (!code && f->slow_node > 0)
        code = cost_straggler_find(&r->projection.job, &r->projection.step, f->slow_node, &r->straggler, e);
    if (!code) code = bill(l, r, e);
    if (!code)
        l->records[l->count - 1] = projection_record(r, &l->question, &l->fitted, f->search ? LISTED : 0, f->explain);
    return code;
}

static int answers(struct launch *l, struct base_error *e) {
    char *copy = strdup(l->flags->machines), *rest = copy;
    int code = copy ? BASE_OK : base_fail(e, BASE_BROKEN, "out of memory");
    for (char *name; !code && (name = strsep(&rest, ",")) != NULL;) {
        if (!*name)
            code = base_fail(e, BASE_USAGE, "--machine %s: a name between commas is missing; leave out the comma",
                             l->flags->machines);
        else if (l->count == CLI_MACHINES)
            code = base_fail(e, BASE_USAGE, "--machine: more than %d machines; project them in turns", CLI_MACHINES);
        else
            code = answer(l, name, &l->answers[l->count++], e);
    }
    free(copy);
    return code;
}

/* Appended before it is shown. */
static int show(struct launch *l, struct base_error *e) {
    const struct cli_project_flags *f = l->flags;
    int code = BASE_OK;
    bool failed = false;
    for (int i = 0; i < l->count && !code; i++) {
        if (i > 0) projection_record_against(l->records[i], &l->answers[0], &l->answers[i]);
        failed = failed || !strcmp(record_text(l->records[i], "status"), "FAILED");
        if (f->out) code = record_append(f->out, l->records[i], e);
    }
    if (code) return code;
    for (int i = 0; i < l->count; i++) {
        report_project(l->page, l->records[i]);
        if (f->json) cli_print_json(l->records[i]);
    }
    if (l->count > 1) report_project_side_by_side(l->page, l->records, l->count);
    return failed ? BASE_NO : BASE_OK;
}

static int prepare(struct launch *l, struct base_error *e) {
    const struct cli_project_flags *f = l->flags;
    int code = cli_catalog_priced(f->model, &l->config, e);
    if (!code) code = cli_project_question(f, &l->config, &l->question, e);
    if (!code) code = fit_result_read(f->parameters, &l->fitted, e);
    if (!code && f->out) code = record_check(f->out, e);
    if (!code && f->trace) code = record_check_anew(f->trace, "--trace", e);
    return code;
}

/* Models on machines. */
static int project(const struct comm *world, int argc, char *const *argv, struct base_error *e) {
    struct cli_project_flags flags;
    int code = cli_project_flags_parse(&flags, argc, argv, e);
    if (code) return code;
    if (flags.help) return world->rank ? BASE_OK : (cli_project_flags_help(stdout), BASE_OK);
    if ((code = cli_alone(world, "project", e))) return code;
    if (flags.list) return record_catalog_titles("machines", cli_print_title, NULL, e);
    struct launch *l = calloc(1, sizeof *l);
    if (!l) return base_fail(e, BASE_BROKEN, "out of memory");
    l->flags = &flags, l->page = flags.json ? stderr : stdout;
    code = prepare(l, e);
    if (!code) code = answers(l, e);
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

/* The last value of `flag` among the words, "" where it has none, NULL where it is not there. */
static const char *value_of(int argc, char *const *argv, const char *flag) {
    const size_t n = strlen(flag);
    const char *value = NULL;
    for (int i = 0; i < argc; i++)
        if (!strncmp(argv[i], flag, n) && (!argv[i][n] || argv[i][n] == '='))
            value = argv[i][n] ? argv[i] + n + 1 : i + 1 < argc && argv[i + 1][0] != '-' ? argv[i + 1] : "";
    return value;
}

/* What has become a command of its own, whatever flags it has there: says which. */
static int check_moved(int argc, char *const *argv, struct base_error *e) {
    const char *curve = value_of(argc, argv, "--curve"), *campaign = value_of(argc, argv, "--campaign");
    const char *machine = value_of(argc, argv, "--machine");
    const size_t n = machine ? strlen(machine) : 0;
    struct machine m;
    if (value_of(argc, argv, "--help") || value_of(argc, argv, "-h")) return BASE_OK;
    if (value_of(argc, argv, "--list-curves")) return base_fail(e, BASE_USAGE, "--list-curves: run toise curve --list");
    if (curve) return base_fail(e, BASE_USAGE, "--curve: run toise curve %s", *curve ? curve : "SERIES");
    if (campaign) return base_fail(e, BASE_USAGE, "--campaign: run toise programme %s", *campaign ? campaign : "NAME");
    if (n < 6 || strcmp(machine + n - 6, ".jsonl") != 0 || machine_read(machine, &m, NULL)) return BASE_OK;
    const bool measured = m.point_count > 0;
    machine_close(&m);
    return measured ? refuse_measured(machine, e) : BASE_OK;
}

int cli_project(struct comm *world, int argc, char *const *argv, struct base_error *e) {
    int code = check_moved(argc, argv, e);
    return code ? code : project(world, argc, argv, e);
}
