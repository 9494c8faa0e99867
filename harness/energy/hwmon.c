/* SPDX-License-Identifier: Apache-2.0
 *
 * Sensors of the kernel's hwmon: energyN_input in microjoules, powerN_average or powerN_input in microwatts. Many cover
 * a disk or a fan, so only those of a table are counted, and of these the widest alone. The others are shown.
 * Sources: Linux, Documentation/hwmon/{sysfs-interface,acpi_power_meter,ibmpowernv,amd_energy}.rst; NVIDIA Grace
 * Performance Tuning Guide, "Power Telemetry". */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "energy/source.h"

/* What a sensor covers, the widest first. Labels are beginnings; "": it has none. */
static const struct {
    const char *driver, *label, *scope;
    bool single; /* several such would cover an unknown part each */
} KNOWN[] = {
    {"power_meter", "", "node", true},
    {"ibmpowernv", "System", "node", true},
    {"power_meter", "Module Power Socket", "modules", false}, /* Grace with its GPU and memory */
    {"power_meter", "Grace Power Socket", "sockets", false},
    {"amd_energy", "Esocket", "sockets", false},
};
enum { ROWS = sizeof KNOWN / sizeof *KNOWN };

static bool is_hwmon(const char *name) {
    return !strncmp(name, "hwmon", 5);
}

/* "energy1_input", "power12_average", "power3_input" */
static bool is_sensor(const char *name) {
    const size_t word = !strncmp(name, "energy", 6) ? 6 : !strncmp(name, "power", 5) ? 5 : 0;
    if (!word || !isdigit((unsigned char)name[word])) return false;
    const char *tail = name + word + strspn(name + word, "0123456789");
    return !strcmp(tail, "_input") || (word == 5 && !strcmp(tail, "_average"));
}

static int row_of(const char *driver, const char *label) {
    for (int i = 0; i < ROWS; i++)
        if (!strcmp(driver, KNOWN[i].driver) &&
            (KNOWN[i].label[0] ? !strncmp(label, KNOWN[i].label, strlen(KNOWN[i].label)) : !label[0]))
            return i;
    return ROWS;
}

/* Whether another file of the list is the better one for the same quantity: energy before power, average before input.
 */
static bool is_second(const char *name, char *const *names, int count) {
    if (name[0] == 'e') return false;
    const int digits = (int)strcspn(name, "_");
    for (int i = 0; i < count; i++) {
        if (names[i][0] == 'e') return true;
        if (!strncmp(names[i], name, (size_t)digits + 1) && strstr(names[i], "_average") && strstr(name, "_input"))
            return true;
    }
    return false;
}

/* The sensor's label, or what ACPI says about the meter. */
static void label_of(const char *folder, const char *sensor, char *label, int size) {
    static const char *const tails[] = {"label", "oem_info"};
    char path[PATH_MAX];
    for (int i = 0; i < 2 && (i == 0 || !label[0]); i++) {
        snprintf(path, sizeof path, "%.2000s/%.*s_%s", folder, (int)strcspn(sensor, "_"), sensor, tails[i]);
        base_file_line(path, label, size);
    }
}

/* Visits each sensor of a hwmon; *widest: the least row so far, or, with e, which is counted. */
static int sensors(struct energy_source *s, const char *folder, int *widest, bool add, struct base_error *e) {
    char **names, driver[64], path[PATH_MAX];
    int code = BASE_OK;
    const int count = energy_names(folder, is_sensor, &names);
    snprintf(path, sizeof path, "%.2000s/name", folder);
    base_file_line(path, driver, sizeof driver);
    for (int i = 0; i < count && !code; i++) {
        char label[64] = "";
        if (is_second(names[i], names, count)) continue;
        label_of(folder, names[i], label, sizeof label);
        const int row = row_of(driver, label);
        if (row < *widest && !add) *widest = row;
        if (!add) continue;
        struct energy_channel c = {.counted = row < ROWS && row == *widest, .scale = 1e-6};
        snprintf(c.name, sizeof c.name, "%.30s %.30s", driver, label[0] ? label : names[i]);
        snprintf(c.path, sizeof c.path, "%.160s/%.60s", folder, names[i]);
        code = energy_source_add(s, &c, names[i][0] == 'e' ? ENERGY_JOULES : ENERGY_WATTS, 0, e);
    }
    if (count >= 0) energy_names_free(names, count);
    return code;
}

int energy_hwmon_find(struct energy_source *s, const struct energy_options *o, struct base_error *e) {
    char folder[PATH_MAX], path[PATH_MAX], **names;
    int widest = ROWS, code = BASE_OK;
    snprintf(folder, sizeof folder, "%s/sys/class/hwmon", o->root);
    const int count = energy_names(folder, is_hwmon, &names);
    if (count < 0) {
        energy_source_fault(s, errno == EACCES ? ENERGY_PERMISSION : ENERGY_ABSENT, "%s", folder);
        return BASE_OK;
    }
    for (int pass = 0; pass < 4 && !code; pass++) /* old drivers have their files in device/ */
        for (int i = 0; i < count && !code; i++) {
            snprintf(path, sizeof path, "%.2000s/%.250s%s", folder, names[i], pass % 2 ? "/device" : "");
            code = sensors(s, path, &widest, pass > 1, e);
        }
    energy_names_free(names, count);
    if (code) return code;
    if (widest < ROWS) snprintf(s->scope, sizeof s->scope, "%s", KNOWN[widest].scope);
    if (widest < ROWS && KNOWN[widest].single && energy_source_counted(s) > 1)
        energy_source_fault(s, ENERGY_FAULT, "%s: %d sensors like %.60s, and each may be a part of the node", folder,
                            energy_source_counted(s), s->channel[0].name);
    if (widest == ROWS && s->count > 0)
        energy_source_fault(s, ENERGY_ABSENT, "%s: %d sensors, none of them known to cover a node or its sockets",
                            folder, s->count);
    return BASE_OK;
}
