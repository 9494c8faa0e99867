/* SPDX-License-Identifier: Apache-2.0
 *
 * What Slurm gathers for a job (RAPL, IPMI or XCC, read by its daemons as root) and shows to its owner: of a step under
 * srun sstat's ConsumedEnergyRaw, else CurrentWatts of the job's nodes. One rank asks for all nodes, every ten seconds,
 * to spare the controller. Slurm itself reads each 30 s or so (JobAcctGatherFrequency), so only long runs are covered.
 * Without a plugin both are 0 or "n/a". Source: Slurm's sstat, scontrol and acct_gather.conf manuals. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "energy/source.h"

enum { TEXT_BYTES = 1 << 18 }; /* of ten thousand nodes */
static const double limit_s = 10;
#define WATTS "CurrentWatts="

/* Sums the nodes' CurrentWatts. */
static bool parse_watts(const char *text, double *x, char why[160]) {
    const char *rest;
    double watts;
    *x = 0;
    for (const char *at = strstr(text, WATTS); at; at = strstr(at + 1, WATTS)) {
        if (!energy_number(at + strlen(WATTS), &watts, &rest) || watts <= 0) {
            snprintf(why, 160, "Slurm shows CurrentWatts=%.*s: it gathers no energy (AcctGatherEnergyType)",
                     (int)strcspn(at + strlen(WATTS), " \n"), at + strlen(WATTS));
            return false;
        }
        *x += watts;
    }
    return true;
}

bool energy_slurm_parse(const char *text, double *x, enum energy_unit *unit, char why[160]) {
    const char *rest;
    *unit = ENERGY_WATTS;
    if (strstr(text, WATTS)) return parse_watts(text, x, why);
    *unit = ENERGY_JOULES;
    const bool alone = energy_number(text, x, &rest) && !rest[0];
    if (alone && *x > 0) return true;
    if (alone)
        snprintf(why, 160, "Slurm shows ConsumedEnergyRaw=0: it gathers no energy (AcctGatherEnergyType)");
    else
        snprintf(why, 160, "neither joules nor CurrentWatts in \"%.60s\"", text);
    return false;
}

static bool is_word(const char *text, const char *more) {
    if (!text || !text[0]) return false;
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && !strchr(more, *text)) return false;
    return true;
}

int energy_slurm_find(struct energy_source *s, const struct energy_options *o, struct base_error *e) {
    const char *job = getenv("SLURM_JOB_ID"), *step = getenv("SLURM_STEP_ID"), *nodes = getenv("SLURM_JOB_NODELIST");
    struct energy_channel c = {.counted = true, .scale = 1};
    enum energy_unit unit;
    char text[TEXT_BYTES], why[160];
    double x;
    (void)o;
    if (!is_word(job, "")) {
        energy_source_fault(s, ENERGY_ABSENT, "no Slurm job (SLURM_JOB_ID)");
        return BASE_OK;
    }
    if (is_word(step, ""))
        snprintf(s->words, sizeof s->words,
                 "sstat --noheader --parsable2 --format=ConsumedEnergyRaw --jobs=%.40s.%.40s", job, step);
    else if (is_word(nodes, "[],-_.") && strlen(nodes) < 400)
        snprintf(s->words, sizeof s->words, "scontrol show node '%s' | grep -o '" WATTS "[^ ]*'", nodes);
    else {
        energy_source_fault(s, ENERGY_ABSENT, "neither SLURM_STEP_ID nor a short SLURM_JOB_NODELIST");
        return BASE_OK;
    }
    snprintf(s->scope, sizeof s->scope, "job");
    snprintf(c.name, sizeof c.name, "%s", s->words[1] == 's' ? "ConsumedEnergyRaw" : "CurrentWatts");
    if (!energy_child(s->words, limit_s, text, sizeof text, why) || !energy_slurm_parse(text, &x, &unit, why)) {
        energy_source_fault(s, ENERGY_FAULT, "%.60s: %s", s->words, why);
        return BASE_OK;
    }
    snprintf(c.path, sizeof c.path, "%.250s", s->words);
    const int code = energy_source_add(s, &c, unit, 0, e);
    if (!code) s->channel[0].meter.most = INFINITY; /* of any number of nodes */
    return code;
}

void energy_slurm_read(struct energy_source *s) {
    struct energy_meter *m = &s->channel[0].meter;
    enum energy_unit unit;
    char text[TEXT_BYTES], why[160];
    double x;
    if (!energy_child(s->words, limit_s, text, sizeof text, why) || !energy_slurm_parse(text, &x, &unit, why) ||
        unit != m->unit)
        x = NAN;
    energy_meter_add(m, base_clock_now(), x);
}
