/* SPDX-License-Identifier: Apache-2.0
 *
 * Prints a line per step with the time left and, on a terminal, the phase before the first step. */
#include "cli/progress.h"

#include "base/text.h"
#include "cli/cli.h"
#include "report/report.h"

static const double SHORT_S = 2; /* shorter runs need no estimate of the time left */

void cli_progress_open(struct cli_progress *p, FILE *out, const struct comm *world, const struct plan *plan) {
    *p = (struct cli_progress){.out = world->rank ? NULL : out,
                               .terminal = report_terminal(out),
                               .tokens = (double)(plan->request.global_batch * plan->request.seq),
                               .flop = plan->ledger.model_flop};
}

static void clear(struct cli_progress *p) {
    if (p->line) fputs("\r\033[K", p->out);
    p->line = false;
}

void cli_progress_close(struct cli_progress *p) {
    if (!p->out) return;
    clear(p);
    fflush(p->out);
}

void cli_progress_phase(void *context, const char *what) {
    struct cli_progress *p = context;
    if (!p->out || !p->terminal) return;
    clear(p);
    fprintf(p->out, "... %s", what);
    p->line = true;
    fflush(p->out);
}

void cli_progress_step(void *context, const struct train_step *s) {
    struct cli_progress *p = context;
    char left[32] = "", of[24] = "";
    if (!p->out) return;
    clear(p);
    if (s->steps) snprintf(of, sizeof of, "/%d", s->steps);
    if (s->elapsed + s->left > SHORT_S && s->left > 0) base_text_duration(s->left, left, sizeof left);
    fprintf(p->out,
            "iteration %6d%s | lm loss %.6f | grad norm %.3f | learning rate %.3E | elapsed time per iteration (ms) "
            "%.1f | tokens/s %.0f | TFLOP/s %.3f%s%s%s%s\n",
            s->step + 1, of, s->loss, s->grad_norm, s->lr, s->seconds * 1e3, p->tokens / s->seconds,
            p->flop / s->seconds / 1e12, s->warmup ? " | warm-up" : "", *left ? " | " : "", left, *left ? " left" : "");
    fflush(p->out);
}
