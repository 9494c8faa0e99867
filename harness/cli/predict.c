/* SPDX-License-Identifier: Apache-2.0
 *
 * toise predict: flags, plan, price, record, page. */
#include <string.h>

#include "base/threads.h"
#include "cli/catalog.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "cli/paths.h"
#include "projection/measured_record.h"
#include "records/record.h"
#include "report/report.h"

enum { ROWS = 16 };
static const double MOST = 1 << 24;

struct flags {
    const char *machine, *model, *precision, *out;
    int64_t layers, seq, global_batch, micro_batch, ranks, threads;
    bool explain, json, help;
};

static struct flags defaults(void) {
    return (struct flags){.model = "gpt2-124m", .precision = "fp32", .ranks = 1};
}

static int table(struct flags *f, struct cli_option rows[ROWS]) {
    const struct cli_option all[] = {
        {"--machine", NULL, CLI_TEXT, &f->machine, 0, 0, "FILE",
         "records (.jsonl) of toise kernels and, for several ranks, of toise comm", NULL},
        {"--model", NULL, CLI_TEXT, &f->model, 0, 0, "NAME",
         "a preset, or the path of a Hugging Face config.json; default gpt2-124m", NULL},
        {"--layers", "--num-layers", CLI_INTEGER, &f->layers, 1, MOST, "N", "only the first N layers: a slice", NULL},
        {"--precision", NULL, CLI_TEXT, &f->precision, 0, 0, "P", "fp32 (default) or bf16", NULL},
        {"--seq", "--seq-length", CLI_INTEGER, &f->seq, 1, MOST, "N", "tokens of a sequence; default 256", NULL},
        {"--gbs", "--global-batch-size", CLI_INTEGER, &f->global_batch, 1, MOST, "N",
         "sequences of a step over all ranks; default 4, or one a rank", NULL},
        {"--mbs", "--micro-batch-size", CLI_INTEGER, &f->micro_batch, 1, MOST, "N",
         "sequences that a rank computes at once; default its share of the batch", NULL},
        {"--ranks", "--accelerators", CLI_INTEGER, &f->ranks, 1, 1e6, "N", "of the world, on one node; default 1",
         NULL},
        {"--threads", NULL, CLI_INTEGER, &f->threads, 1, BASE_CPUS_MAX, "N",
         "of each rank; default those that the records have most points of", NULL},
        {"--explain", NULL, CLI_FLAG, &f->explain, 0, 0, NULL, "every operation: seconds, from what, how sure", NULL},
        {"--json", NULL, CLI_FLAG, &f->json, 0, 0, NULL, "the record on stdout, all else on stderr", NULL},
        {"--out", NULL, CLI_TEXT, &f->out, 0, 0, "FILE", "append the record to FILE", NULL},
        {"--help", "-h", CLI_FLAG, &f->help, 0, 0, NULL, "this text", NULL},
    };
    _Static_assert(sizeof all / sizeof *all <= ROWS, "the table is larger than ROWS");
    memcpy(rows, all, sizeof all);
    return (int)(sizeof all / sizeof *all);
}

static void help(FILE *out) {
    struct flags flags = defaults();
    struct cli_option rows[ROWS];
    fputs(
        "usage: toise predict --machine RECORDS.jsonl [flags]\n\nHow long does a step of toise train take on a machine "
        "that toise measured? Every operation is priced by the\nmachine's own kernels, every sum of gradients by its "
        "own "
        "toise comm; no step is looked at.\n\n",
        out);
    cli_options_help(out, rows, table(&flags, rows));
}

/* The number of threads with most points; of two such the larger. */
static int usual_threads(const struct machine *m) {
    int best = 1, most = 0;
    for (int i = 0; i < m->point_count; i++) {
        int n = 0;
        for (int k = 0; k < m->point_count; k++) n += m->points[k].threads == m->points[i].threads;
        if (n > most || (n == most && m->points[i].threads > best)) most = n, best = m->points[i].threads;
    }
    return best;
}

/* Sizes default as those of toise train. */
static int request_of(const struct flags *f, const struct machine *m, struct plan_request *r, struct base_error *e) {
    const bool bf16 = !strcmp(f->precision, "bf16");
    if (!bf16 && strcmp(f->precision, "fp32") != 0)
        return base_fail(e, BASE_USAGE, "--precision: unknown \"%.32s\"; toise trains in fp32 or bf16", f->precision);
    *r = (struct plan_request){.dtype = bf16 ? KERNEL_BF16 : KERNEL_F32};
    int code = cli_catalog_priced(f->model, &r->config, e);
    if (!code && r->config.family->refusal) code = cli_catalog_model(f->model, &r->config, e); /* says why not */
    if (!code && f->layers) code = model_config_slice(&r->config, f->layers, e);
    if (code) return code;
    r->seq = f->seq ? f->seq : r->config.positions < 256 ? r->config.positions : 256;
    r->global_batch = f->global_batch ? f->global_batch : f->ranks > 4 || 4 % f->ranks ? f->ranks : 4;
    const int64_t micro_batch = f->micro_batch ? f->micro_batch : r->global_batch / f->ranks;
    r->layout = plan_layout_data_parallel((int)f->ranks, micro_batch < 1 ? 1 : micro_batch);
    r->threads = f->threads ? (int)f->threads : usual_threads(m);
    return BASE_OK;
}

static int answer(const struct flags *f, const struct machine *m, struct base_error *e) {
    struct plan_request request;
    struct plan plan;
    struct projection_measured priced;
    int code = request_of(f, m, &request, e);
    if (!code) code = plan_make(&plan, &request, e);
    if (!code) code = projection_measured_price(m, &plan, &priced, e);
    if (code) return code;
    json_t *record = projection_measured_record(&priced, m, &plan);
    const bool failed = !strcmp(record_text(record, "status"), "FAILED");
    if (f->out && !(code = record_check(f->out, e))) code = record_append(f->out, record, e);
    if (!code && f->json) cli_print_json(record);
    if (!code) report_measured(f->json ? stderr : stdout, record, f->explain);
    if (!code && failed) code = base_fail(e, BASE_NO, "it does not fit: %s", record_text(record, "why"));
    json_decref(record);
    return code;
}

/* What is asked, before anything is read. */
static int check(const struct flags *f, struct base_error *e) {
    const size_t n = f->machine ? strlen(f->machine) : 0;
    const struct cli_path files[] = {
        {"--out", f->out, true}, {"--machine", f->machine, false}, {"--model", f->model, false}};
    if (!n)
        return base_fail(
            e, BASE_USAGE,
            "--machine is missing: the records of toise kernels --out, and for several ranks of toise comm");
    if (n < 6 || strcmp(f->machine + n - 6, ".jsonl") != 0)
        return base_fail(
            e, BASE_USAGE,
            "--machine %s: give a file of records, named .jsonl, as toise kernels --out FILE.jsonl makes it",
            f->machine);
    const int code = cli_paths_apart(files, 3, e);
    return code || !f->out ? code : record_ask(f->out, e);
}

int cli_predict(struct comm *world, int argc, char *const *argv, struct base_error *e) {
    struct flags flags = defaults();
    struct cli_option rows[ROWS];
    struct machine machine;
    int code = cli_options_parse(rows, table(&flags, rows), argc, argv, "predict", e);
    if (code) return code;
    if (flags.help) return world->rank ? BASE_OK : (help(stdout), BASE_OK);
    code = cli_alone(world, "predict", e);
    if (!code) code = check(&flags, e);
    if (!code) code = machine_read(flags.machine, &machine, e);
    if (code) return code;
    if (machine.point_count > 0)
        code = answer(&flags, &machine, e);
    else
        code = base_fail(e, BASE_USAGE, "%s has no records of kernels; run toise kernels --out %s", flags.machine,
                         flags.machine);
    machine_close(&machine);
    return code;
}
