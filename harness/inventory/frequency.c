/* SPDX-License-Identifier: Apache-2.0
 *
 * Clocks, by the policies of cpufreq: CPUs that share a clock share a policy. */
#include <stdio.h>
#include <string.h>

#include "inventory/reader.h"

#define CPUS "sys/devices/system/cpu/"

/* How many policies have which word, or the lowest number. */
struct policies {
    const char *file;
    json_t *words; /* {word: policies} */
    long long least;
    const char *why; /* the last that could not be read */
};

static void read_policy(struct inventory_reader *r, const char *name, void *context) {
    struct policies *p = context;
    char file[PATH_MAX], word[64];
    snprintf(file, sizeof file, CPUS "cpufreq/%.100s/%s", name, p->file);
    const char *why = inventory_line(r, file, word, sizeof word);
    const long long number = why ? -1 : inventory_number(r, file);
    if (why) p->why = why;
    if (!why)
        json_object_set_new(p->words, word, json_integer(1 + json_integer_value(json_object_get(p->words, word))));
    if (number >= 0 && (p->least < 0 || number < p->least)) p->least = number;
}

static struct policies read_policies(struct inventory_reader *r, const char *file) {
    struct policies p = {.file = file, .words = json_object(), .least = -1};
    const char *why = inventory_list(r, CPUS "cpufreq", "policy", read_policy, &p);
    if (!p.why) p.why = why ? why : r->virtualised ? "virtual machine does not say" : "absent";
    return p;
}

/* "performance", or "performance on 126, powersave on 2" if policies differ */
static void put_word(struct inventory_reader *r, const char *path, const char *file) {
    struct policies p = read_policies(r, file);
    char text[256] = "";
    const char *word;
    json_t *count;
    json_object_foreach(p.words, word, count) {
        const size_t used = strlen(text);
        if (json_object_size(p.words) == 1)
            snprintf(text, sizeof text, "%s", word);
        else
            snprintf(text + used, sizeof text - used, "%s%s on %d", used ? ", " : "", word,
                     (int)json_integer_value(count));
    }
    inventory_put_text(r, path, text, p.why);
    json_decref(p.words);
}

static void put_least_hz(struct inventory_reader *r, const char *path, const char *file) {
    struct policies p = read_policies(r, file);
    inventory_put(r, path, p.least >= 0 ? json_real(1e3 * (double)p.least) : NULL, p.why);
    json_decref(p.words);
}

/* Drivers have one switch for all CPUs; intel_pstate's is the other way round. */
static void put_boost(struct inventory_reader *r) {
    const long long no_turbo = inventory_number(r, CPUS "intel_pstate/no_turbo");
    const long long boost = no_turbo >= 0 ? !no_turbo : inventory_number(r, CPUS "cpufreq/boost");
    char text[16];
    const char *why = inventory_line(r, CPUS "cpufreq/boost", text, sizeof text);
    inventory_put(r, "frequency.boost", boost >= 0 ? json_boolean(boost > 0) : NULL, why ? why : "not a number");
}

void inventory_frequency(struct inventory_reader *r) {
    const double hz = r->topology->max_hz;
    const char *why = r->virtualised ? "virtual machine does not say" : "absent";
    inventory_put(r, "max_hz", hz > 0 ? json_real(hz) : NULL, why);
    put_word(r, "governor", "scaling_governor");
    put_word(r, "frequency.driver", "scaling_driver");
    put_word(r, "frequency.energy_preference", "energy_performance_preference");
    put_least_hz(r, "frequency.min_hz", "scaling_min_freq");
    put_least_hz(r, "frequency.limit_hz", "scaling_max_freq");
    put_boost(r);
}
