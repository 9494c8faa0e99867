/* SPDX-License-Identifier: Apache-2.0
 *
 * The flags of `toise project`. */
#ifndef TOISE_CLI_PROJECT_OPTIONS_H
#define TOISE_CLI_PROJECT_OPTIONS_H

#include "projection/bill.h"

enum { CLI_MACHINES = 16 };

struct cli_project_flags {
    const char *model, *machines, *set, *parameters; /* machines: "a,b,c"; set: "key=value,..." */
    const char *precision, *framework, *attention, *recompute, *schedule;
    int64_t seq, global_batch, accelerators, micro_batch, tp, pp, cp, ep, vp, zero;
    double tokens, hours, deadline; /* 0: not given; hours of accelerators; days */
    double grad_bytes, slow_node;   /* slow_node: 0: not asked */
    struct projection_terms terms;
    bool sp, no_sp, blocking, slots, search, explain, list, json, help;
    const char *out, *trace;
};

/* BASE_USAGE names the flag and the fix. */
int cli_project_flags_parse(struct cli_project_flags *flags, int argc, char *const *argv, struct base_error *e);
void cli_project_flags_help(FILE *out);
/* The question that the flags ask of every machine. */
int cli_project_question(const struct cli_project_flags *flags, const struct model_config *config,
                         struct projection_question *question, struct base_error *e);

#endif
