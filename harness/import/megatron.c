/* SPDX-License-Identifier: Apache-2.0
 *
 * Megatron-LM's log as records of kind "train", one for each start of the program. A launch ends where the arguments
 * are listed again, or where the iterations go back: after a failure Megatron starts again from its last checkpoint. */
#include "import/megatron.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT = 512 };

struct log {
    struct import_job *job;
    struct megatron_line *lines; /* of the current launch */
    int count, room, launches;
    json_t *arguments, *begins;    /* the first line of each launch, and where it stands */
    char previous[KEPT], rank[64]; /* the last line's figures; what stood before them */
};

/* Iterations that a line covers: --log-interval, else the least step between lines. */
static long interval_of(const struct log *g) {
    long least = record_whole(g->arguments, "log_interval");
    if (least > 0) return least;
    for (int i = 1; i < g->count; i++) { /* the first step may be shorter */
        const long step = g->lines[i].iteration - g->lines[i - 1].iteration;
        if (i <= 2 || step < least) least = step;
    }
    return least > 0 ? least : 1;
}

static long covered(const struct log *g, int i, long interval) {
    const long from = i ? g->lines[i].iteration - g->lines[i - 1].iteration : interval;
    return from < interval ? from : interval;
}

/* Lines of the launch that cover one of its first iterations. Megatron-LM of 2026 also writes a line after the first
 * iteration alone; the next line then covers that one too. */
static int warm_lines(const struct log *g, long interval) {
    const long begin = g->lines[0].iteration - (g->lines[0].iteration < interval ? 1 : interval);
    const bool early = g->count > 1 && g->lines[1].iteration - g->lines[0].iteration < interval;
    int warm = 0;
    while (warm < g->count) {
        const long first = warm ? g->lines[warm].iteration - covered(g, warm, interval) : begin;
        const bool both = warm == 1 && early && g->job->options->warmup > 0;
        if (first - begin >= g->job->options->warmup && !both) break;
        warm++;
    }
    return warm;
}

/* One figure of all lines [from, to) as a list. NULL: no line has it. */
static json_t *column(const struct log *g, int from, int to, size_t at, bool whole) {
    json_t *list = json_array();
    bool any = false;
    for (int i = from; i < to; i++) {
        const char *p = (const char *)&g->lines[i] + at;
        const long n = whole ? *(const long *)(const void *)p : 0;
        const double x = whole ? NAN : *(const double *)(const void *)p;
        any = any || (whole ? n >= 0 : isfinite(x));
        json_array_append_new(list, whole && n >= 0 ? json_integer(n) : record_number(x));
    }
    if (any) return list;
    json_decref(list);
    return NULL;
}
#define COLUMN(g, from, to, field, whole) column(g, from, to, offsetof(struct megatron_line, field), whole)

static void set_list(json_t *o, const char *key, json_t *list) {
    if (list) record_set(o, key, list);
}

static json_t *samples_of(const struct log *g, int warm, long interval) {
    json_t *o = json_object(), *before = json_object();
    json_t *timed = COLUMN(g, warm, g->count, step_s, false);
    record_set(o, "step_s", timed ? timed : json_array());
    record_set_integer(o, "steps", interval);
    set_list(o, "iteration", COLUMN(g, warm, g->count, iteration, true));
    set_list(o, "line", COLUMN(g, warm, g->count, line, true));
    set_list(o, "tflop_per_s_per_accelerator_square", COLUMN(g, warm, g->count, tflop_per_s, false));
    set_list(o, "joules_per_accelerator", COLUMN(g, warm, g->count, joules, false));
    set_list(before, "step_s", COLUMN(g, 0, warm, step_s, false));
    set_list(before, "iteration", COLUMN(g, 0, warm, iteration, true));
    set_list(before, "line", COLUMN(g, 0, warm, line, true));
    record_set(o, "warmup", before);
    return o;
}

/* Tokens over the time of all timed lines; NAN: batch or sequence are unknown. Also the number of steps. */
static double tokens_per_second(const struct log *g, int warm, long interval, const json_t *config, double *mean_s) {
    const double seq = record_real(config, "seq"), batch = record_real(config, "global_batch");
    double sequences = 0, seconds = 0, steps = 0;
    for (int i = warm; i < g->count; i++) {
        const struct megatron_line *l = &g->lines[i];
        const double n = (double)covered(g, i, interval);
        sequences += n * (l->global_batch > 0 ? (double)l->global_batch : batch);
        seconds += n * l->step_s, steps += n;
    }
    *mean_s = seconds / steps;
    return sequences * seq / seconds;
}

static void set_rates(json_t *o, const struct log *g, int warm, long interval, const json_t *config) {
    const int n = g->count - warm;
    double *x = malloc(((size_t)n + 1) * sizeof *x), mean_s;
    int rates = 0;
    if (!x || !n) {
        free(x);
        return;
    }
    for (int i = 0; i < n; i++) x[i] = g->lines[warm + i].step_s;
    import_set_median(o, "step_s", x, n);
    const struct base_mean m = base_stats_mean(x, n);
    const double tokens = tokens_per_second(g, warm, interval, config, &mean_s);
    record_set_number(o, "mean_step_s", mean_s);
    if (isfinite(tokens)) {
        record_set_number(o, "tokens_per_s", tokens);
        if (g->job->options->nodes)
            record_set_number(o, "tokens_per_s_per_node", tokens / (double)g->job->options->nodes);
        record_set_number(o, "tokens_per_s_low", n > 1 ? tokens * m.mean / m.high : NAN);
        record_set_number(o, "tokens_per_s_high", n > 1 && m.low > 0 ? tokens * m.mean / m.low : NAN);
    }
    for (int i = warm; i < g->count; i++)
        if (isfinite(g->lines[i].tflop_per_s)) x[rates++] = g->lines[i].tflop_per_s;
    if (rates) record_set_number(o, "tflop_per_s_per_accelerator_square", base_stats_median(x, rates, 0.95).median);
    free(x);
}

static json_t *result_of(const struct log *g, int warm, long interval, const json_t *config) {
    json_t *o = json_object(), *loss = COLUMN(g, 0, g->count, loss, false);
    long skipped = 0, nan = 0, steps = 0;
    for (int i = 0; i < warm; i++) steps += covered(g, i, interval);
    record_set(o, "warmup",
               json_pack("{s:I, s:s, s:n}", "steps", (json_int_t)steps, "rule",
                         "lines that cover one of the launch's first iterations, as many as --warmup says", "warm"));
    set_rates(o, g, warm, interval, config);
    if (loss) {
        record_set_number(o, "loss_first", g->lines[0].loss);
        record_set_number(o, "loss_last", g->lines[g->count - 1].loss);
        record_set(o, "loss", loss);
    }
    set_list(o, "grad_norm", COLUMN(g, 0, g->count, grad_norm, false));
    for (int i = 0; i < g->count; i++) {
        skipped += g->lines[i].skipped > 0 ? g->lines[i].skipped : 0;
        nan += g->lines[i].nan > 0 ? g->lines[i].nan : 0;
    }
    record_set_integer(o, "skipped_iterations", skipped), record_set_integer(o, "nan_iterations", nan);
    return o;
}

static void end_launch(struct log *g) {
    if (!g->count) return;
    const long interval = interval_of(g);
    const int warm = warm_lines(g, interval);
    json_t *record = import_record(g->job, "train", RECORD_UNVERIFIED,
                                   warm < g->count ? "from a log of Megatron-LM: toise checked nothing"
                                                   : "from a log of Megatron-LM, which has warm-up alone",
                                   ++g->launches, g->lines[0].line, g->lines[g->count - 1].line);
    json_t *config = import_megatron_config(g->arguments, g->job->options);
    if (!record_whole(config, "global_batch") && g->lines[0].global_batch > 0)
        record_set_integer(config, "global_batch", g->lines[g->count - 1].global_batch);
    record_set_integer(config, "warmup", g->job->options->warmup);
    record_set(record, "samples", samples_of(g, warm, interval));
    record_set(record, "result", result_of(g, warm, interval, config));
    record_set(record, "config", config);
    json_t *layout = import_megatron_layout(g->arguments);
    if (g->job->options->nodes) record_set_integer(layout, "nodes", g->job->options->nodes);
    record_set(record, "layout", layout);
    g->count = 0;
}

/* A launch that begins with the line of another one is the same: its log stands in the file twice. */
static int begin_launch(struct log *g, const char *text, long line) {
    const json_t *before = json_object_get(g->begins, text);
    if (before)
        return base_fail(g->job->e, BASE_USAGE, "%s: line %ld repeats line %lld: the same log stands in the file twice",
                         g->job->path, line, (long long)json_integer_value(before));
    record_set_integer(g->begins, text, line);
    return BASE_OK;
}

static int add(struct log *g, const struct megatron_line *l) {
    if (g->count == g->room) {
        const int room = 2 * g->room + 1024;
        struct megatron_line *more = realloc(g->lines, (size_t)room * sizeof *more);
        if (!more) return base_fail(g->job->e, BASE_BROKEN, "%s: out of memory for %d lines", g->job->path, room);
        g->lines = more, g->room = room;
    }
    g->lines[g->count++] = *l;
    return BASE_OK;
}

/* Where the line's date begins, or its figures if it has none. */
static const char *stamp_of(const char *text, const char *figures) {
    const char *at = figures;
    while (at > text && strchr(" ]", at[-1])) at--;
    while (at > text && strchr("0123456789-:. ", at[-1])) at--;
    return at > text && at[-1] == '[' ? at - 1 : figures;
}

/* What stands before: the rank, as srun -l, torchrun and mpirun write it. "" if it has a time, which always differs. */
static void rank_of(const char *text, const char *end, char rank[64]) {
    snprintf(rank, 64, "%.*s", (int)(end - text), text);
    for (const char *at = rank; (at = strchr(at, ':')); at++)
        if (at > rank && isdigit((unsigned char)at[-1]) && isdigit((unsigned char)at[1])) rank[0] = 0;
}

static int take_figures(struct log *g, char *text, long line) {
    struct megatron_line l;
    const char *figures = import_megatron_find(text), *stamp = stamp_of(text, figures);
    char why[160], first[KEPT], rank[64], previous[KEPT];
    rank_of(text, stamp, rank);
    snprintf(first, sizeof first, "%s", stamp);
    snprintf(previous, sizeof previous, "%s", figures);
    if (!import_megatron_line((char *)figures, &l, why)) return import_bad(g->job, line, "%s", why);
    l.line = line;
    const bool back = g->count && l.iteration <= g->lines[g->count - 1].iteration;
    if (back && (!strcmp(previous, g->previous) || strcmp(rank, g->rank) != 0)) /* several ranks wrote it */
        return g->job->notes->repeated++, BASE_OK;
    if (back) end_launch(g);
    const int code = g->count ? BASE_OK : begin_launch(g, first, line);
    memcpy(g->previous, previous, sizeof previous), memcpy(g->rank, rank, sizeof rank);
    return code ? code : add(g, &l);
}

static int take(void *context, char *text, long line) {
    struct log *g = context;
    if (import_megatron_begins(text)) {
        end_launch(g);
        json_object_clear(g->arguments);
    } else if (import_megatron_marks(text)) {
        return take_figures(g, text, line);
    } else {
        import_megatron_argument(text, g->arguments);
    }
    return BASE_OK;
}

int import_megatron(struct import_job *job) {
    struct log g = {.job = job, .arguments = json_object(), .begins = json_object()};
    int code = import_lines(job, take, &g);
    if (!code) end_launch(&g);
    if (!code && !g.launches)
        code = base_fail(job->e, BASE_USAGE, "%s: every line of figures is damaged; the first: %s", job->path,
                         job->notes->first);
    if (!code) import_finish(job, g.launches);
    json_decref(g.arguments), json_decref(g.begins);
    free(g.lines);
    return code;
}
