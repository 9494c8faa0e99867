/* SPDX-License-Identifier: Apache-2.0
 *
 * The energy of a record, and the sources of a node. */
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "records/get.h"
#include "report/report.h"

static void print_si(FILE *out, double x, const char *unit) {
    char text[32];
    base_text_si(x, text, sizeof text);
    fprintf(out, "%s%s", text, unit);
}

static void print_figure(FILE *out, const json_t *figure) {
    print_si(out, record_real(figure, "joules_per_token"), "J/token");
    if (!isnan(record_real(figure, "low"))) {
        fputs(" [", out), print_si(out, record_real(figure, "low"), "J");
        fputs(", ", out), print_si(out, record_real(figure, "high"), "J]");
    }
    fputs(", ", out), print_si(out, record_real(figure, "joules"), "J");
    fputs(" at ", out), print_si(out, record_real(figure, "watts"), "W");
    fprintf(out, ", by %s (%s)", record_text(figure, "source"), record_text(figure, "scope"));
}

static void print_disagreeing(FILE *out, const json_t *energy) {
    const json_t *other;
    size_t i;
    json_array_foreach(record_at(energy, "disagree"), i, other) {
        fputs("            but ", out);
        print_figure(out, other);
        fprintf(out, ": %.0f%% of %s's\n", 100 * record_real(other, "ratio"), record_text(energy, "source"));
    }
}

static const json_t *source_of(const json_t *energy) {
    const json_t *source;
    size_t i;
    json_array_foreach(record_at(energy, "sources"), i,
                       source) if (!strcmp(record_text(source, "source"), record_text(energy, "source"))) return source;
    return NULL;
}

void report_energy(FILE *out, const json_t *energy) {
    const char *why = record_text(energy, "why");
    if (!energy) return;
    if (strcmp(record_text(energy, "status"), "measured")) {
        const char *cure = !strncmp(why, "permission", 10)
                               ? ": ask the administrator for read access, or pass --power-cmd"
                           : !strncmp(why, "absent", 6) ? ": pass --power-cmd if there is a meter"
                                                        : "";
        fprintf(out, "energy      unmeasured: %s%s\n", why, cure);
        return;
    }
    fputs("energy      ", out);
    print_figure(out, energy);
    fprintf(out, ", %.1f%% of the timed time", 100 * record_real(energy, "coverage"));
    if (!isnan(record_real(energy, "other_cpu_share")))
        fprintf(out, "; others took %.1f%% of the CPU time", 100 * record_real(energy, "other_cpu_share"));
    if (record_true(source_of(energy), "constant")) fputs("; every reading was the same", out);
    if (record_text(energy, "root")[0]) fprintf(out, "; read under %s", record_text(energy, "root"));
    fputc('\n', out);
    print_disagreeing(out, energy);
}

void report_energy_list(FILE *out, const json_t *sources) {
    const json_t *source, *channel;
    size_t i, k;
    fprintf(out, "%-8s %-9s %s\n", "source", "scope", "state");
    json_array_foreach(sources, i, source) {
        const char *why = record_text(source, "why"), *status = record_text(source, "status");
        fprintf(out, "%-8s %-9s %s%s%s\n", record_text(source, "source"),
                record_text(source, "scope")[0] ? record_text(source, "scope") : "-",
                strcmp(status, "measured") ? status : "readable", why[0] ? ": " : "", why);
        json_array_foreach(record_at(source, "channels"), k, channel)
            fprintf(out, "         %-9s %s: %s\n", record_true(channel, "counted") ? "counted" : "shown",
                    record_text(channel, "name"), record_text(channel, "path"));
    }
}
