/* SPDX-License-Identifier: Apache-2.0
 *
 * toise predict: reads a machine's records, plans a step, prices it, records and reports. */
#include <string.h>

#include "base/threads.h"
#include "cli/catalog.h"
#include "cli/cli.h"
#include "commands/commands.h"
#include "forecast/forecast.h"
#include "projection/measured_record.h"
#include "records/record.h"
#include "training/layout.h"

struct flags {
    struct cli_training training;
    struct training_layout layout;
    const char *machine;
    int64_t ranks, threads;
    bool explain;
    struct cli_output output;
};

/* clang-format off */
static const struct cli_option OPTIONS[] = {
    {.name = "--machine", .kind = CLI_TEXT, .at = offsetof(struct flags, machine), .file = CLI_READ, .hint = "FILE",
     .help = "records (.jsonl) of toise kernels and, for several ranks, of toise comm"},
    {.kind = CLI_SHARED, .at = offsetof(struct flags, training), .shared = cli_training_options},
    {.kind = CLI_SHARED, .at = offsetof(struct flags, layout), .shared = training_layout_options},
    {.name = "--ranks", .alias = "--accelerators", .kind = CLI_INTEGER, .at = offsetof(struct flags, ranks), .min = 1,
     .max = 1e6, .fallback = "1", .hint = "N", .help = "number of ranks, whose memory is one node's"},
    {.name = "--threads", .kind = CLI_INTEGER, .at = offsetof(struct flags, threads), .min = 1, .max = BASE_CPUS_MAX,
     .hint = "N", .help = "threads of each rank; default the number that most points of the records have"},
    {.name = "--explain", .kind = CLI_FLAG, .at = offsetof(struct flags, explain),
     .help = "show every operation: its seconds, their source and their interval"},
    {.kind = CLI_SHARED, .at = offsetof(struct flags, output), .shared = cli_output_options},
    {.name = NULL},
};
/* clang-format on */

static const struct cli_rule RULES[] = {
    {.needs = "--machine",
     .text = "--machine is missing; give a file of records made by toise kernels --out and, for several ranks, by "
             "toise comm --out"},
    {.text = NULL},
};

static const struct cli_command COMMAND = {
    .name = "predict",
    .options = OPTIONS,
    .rules = RULES,
    .usage = "toise predict --machine RECORDS.jsonl [flags]\n\nHow long does a step of toise train take on a machine "
             "that toise has measured? Prices operations by the machine's\nrecords of toise kernels and messages by "
             "those of toise comm. Records of measured steps are not used.",
};

/* The number of threads with the most points; the larger one if two are equal. */
static int usual_threads(const struct machine *m) {
    int best = 1, most = 0;
    for (int i = 0; i < m->point_count; i++) {
        int n = 0;
        for (int k = 0; k < m->point_count; k++) n += m->points[k].threads == m->points[i].threads;
        if (n > most || (n == most && m->points[i].threads > best)) most = n, best = m->points[i].threads;
    }
    return best;
}

/* Sizes have the defaults of toise train. */
static int request_of(const struct flags *f, const struct machine *m, struct plan_request *r, struct base_error *e) {
    const struct cli_training *t = &f->training;
    const char *model = t->model ? t->model : CLI_MODEL;
    *r = (struct plan_request){.dtype = (enum kernel_dtype)t->precision};
    int code = cli_catalog_priced(model, &r->config, e);
    if (!code && t->layers) code = model_config_slice(&r->config, t->layers, e);
    if (!code && t->experts) code = model_config_slice_experts(&r->config, t->experts, e);
    if (!code) code = training_layout_route(&f->layout, 1, &r->route, e);
    if (code) return code;
    r->seq = t->seq ? t->seq : cli_usual_seq(&r->config);
    if ((code = training_layout_resolve(&f->layout, (int)f->ranks, &r->layout, e))) return code;
    r->global_batch = t->global_batch ? t->global_batch : training_layout_batch(&r->layout);
    r->threads = f->threads ? (int)f->threads : usual_threads(m);
    if ((code = training_layout_stages(&f->layout, r, e))) return code;
    training_layout_micro_batch(r, (int)f->ranks, m->node.memory_bytes.value > 0 ? m->node.memory_bytes.value : -1);
    return BASE_OK;
}

static int answer(const struct flags *f, const struct machine *m, struct base_error *e) {
    struct plan_request request;
    struct plan plan;
    struct projection_measured priced;
    int code = request_of(f, m, &request, e);
    if (!code) code = plan_make_largest(&plan, &request, e);
    if (!code) code = projection_measured_price(m, &plan, &priced, e);
    if (code) return code;
    json_t *record = projection_measured_record(&priced, m, &plan);
    const bool failed = !strcmp(record_text(record, "status"), "FAILED");
    code = cli_emit(&f->output, record, e);
    if (!code) forecast_measured(cli_page(&f->output), record, f->explain);
    if (!code && failed) code = base_fail(e, BASE_NO, "it does not fit: %s", record_text(record, "why"));
    json_decref(record);
    return code;
}

/* Checks the flags before anything is read. */
static int check(const struct flags *f, struct base_error *e) {
    const size_t n = strlen(f->machine);
    if (n < 6 || strcmp(f->machine + n - 6, ".jsonl") != 0)
        return base_fail(e, BASE_USAGE,
                         "--machine %s is not a .jsonl file; give records as made by toise kernels --out FILE.jsonl",
                         f->machine);
    const int code = cli_options_apart(&COMMAND, f, e);
    return code ? code : record_check(f->output.out, e);
}

int command_predict(struct comm *world, int argc, char *const *argv, struct base_error *e) {
    struct flags flags = {0};
    struct machine machine;
    int code = cli_options_read(&COMMAND, &flags, argc, argv, e);
    if (!code && flags.output.help) return cli_help(world, &COMMAND);
    if (!code) code = cli_alone(world, &COMMAND, e);
    if (!code) code = check(&flags, e);
    if (!code) code = machine_read(flags.machine, &machine, e);
    if (code) return code;
    if (machine.point_count > 0)
        code = answer(&flags, &machine, e);
    else
        code = base_fail(e, BASE_USAGE, "%s has no records of toise kernels; run toise kernels --out %s", flags.machine,
                         flags.machine);
    machine_close(&machine);
    return code;
}
