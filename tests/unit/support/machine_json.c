/* SPDX-License-Identifier: Apache-2.0
 *
 * Changes the files of a machine and reads them. */
#include "unit/support/machine_json.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "records/catalog.h"
#include "unit/support/folder.h"

const char machine_json_good[] =
    "{\"schema\":\"machine/1\",\"name\":\"m\",\"title\":\"A machine\",\"country\":\"FR\","
    "\"year\":{\"value\":2024,\"status\":\"published\",\"source\":\"s\"},"
    "\"nodes\":{\"value\":4,\"status\":\"published\",\"source\":[\"s\",\"t\"],\"note\":\"in 2024\"},"
    "\"accelerators\":{\"value\":32,\"status\":\"derived\",\"how\":\"4 x 8\"},"
    "\"node\":{\"accelerator\":\"a.json\",\"accelerators\":{\"value\":8,\"status\":\"recalled\"},"
    "\"topology\":{\"value\":\"nvswitch\",\"status\":\"recalled\"},"
    "\"rails\":{\"value\":4,\"status\":\"recalled\"},"
    "\"rail_bytes_per_s\":{\"low\":12.5e9,\"high\":25e9,\"status\":\"assumed\",\"how\":\"100 or 200 Gbit/s\"},"
    "\"achieved\":[{\"op\":\"all_reduce\",\"accelerators\":8,\"bytes\":1e9,\"busbw_bytes_per_s\":200e9,"
    "\"status\":\"measured\",\"source\":\"s\"}],\"power_w\":{\"value\":6500,\"status\":\"recalled\"}},"
    "\"network\":{\"technology\":\"any\",\"topology\":{\"value\":\"fat-tree\",\"status\":\"recalled\"},"
    "\"latency_s\":{\"low\":1e-6,\"high\":4e-6,\"status\":\"recalled\"},"
    "\"levels\":[{\"name\":\"unit\",\"nodes\":{\"value\":2,\"status\":\"recalled\"}},"
    "{\"name\":\"machine\",\"oversubscription\":{\"value\":2,\"status\":\"recalled\"}}],"
    "\"achieved\":[{\"op\":\"all_reduce\",\"nodes\":2,\"accelerators\":16,\"bytes\":4e9,\"busbw_bytes_per_s\":30e9,"
    "\"status\":\"measured\",\"source\":\"t\"}]},"
    "\"power_w\":{\"value\":30e3,\"status\":\"recalled\"},"
    "\"cost\":[{\"eur\":2e6,\"covers\":\"all\",\"status\":\"recalled\"}],"
    "\"queues\":[{\"name\":\"q\",\"wall_s\":72000,\"accelerators\":16,\"status\":\"recalled\"}],"
    "\"notes\":[\"none\"],\"sources\":{\"s\":\"a paper\",\"t\":\"a talk\"}}";

const char machine_json_accelerator[] =
    "{\"schema\":\"accelerator/1\",\"name\":\"a\",\"title\":\"An accelerator\",\"vendor\":\"V\",\"kind\":\"gpu\","
    "\"released\":{\"value\":\"2020\",\"status\":\"recalled\"},"
    "\"peak_flop_per_s\":{\"fp32\":{\"value\":19.5e12,\"status\":\"recalled\"},"
    "\"tf32\":{\"value\":156e12,\"status\":\"recalled\"},\"bf16\":{\"value\":312e12,\"status\":\"recalled\"}},"
    "\"achieved_matmul_flop_per_s\":{\"bf16\":{\"value\":271e12,\"status\":\"measured\",\"source\":\"s\"}},"
    "\"unit\":\"SM\",\"units\":{\"value\":108,\"status\":\"recalled\"},"
    "\"clock_hz\":{\"value\":1.41e9,\"status\":\"recalled\"},"
    "\"flop_per_cycle\":{\"fp16\":{\"value\":2048,\"status\":\"recalled\"}},"
    "\"memory_bytes\":{\"value\":85899345920,\"status\":\"recalled\"},"
    "\"memory_bytes_per_s\":{\"value\":2039e9,\"status\":\"recalled\",\"also\":[{\"value\":2e12,\"source\":\"s\"}]},"
    "\"gemm_tiles\":{\"value\":[[256,128],[64,64]],\"status\":\"assumed\",\"how\":\"usual\"},"
    "\"launch_s\":{\"low\":3e-6,\"high\":20e-6,\"status\":\"recalled\"},"
    "\"scale_up\":{\"technology\":\"L\",\"links\":{\"value\":12,\"status\":\"recalled\"},"
    "\"link_bytes_per_s\":{\"value\":25e9,\"status\":\"recalled\"},"
    "\"bytes_per_s\":{\"value\":300e9,\"status\":\"recalled\"},"
    "\"achieved\":[{\"op\":\"all_reduce\",\"accelerators\":8,\"bytes\":1e9,\"busbw_bytes_per_s\":229e9,"
    "\"status\":\"measured\",\"source\":\"s\"}]},"
    "\"power_w\":{\"value\":400,\"status\":\"recalled\"},\"sources\":{\"s\":\"a paper\"}}";

/* The object or list that holds the last part of the path. *last becomes that part. */
static json_t *parent_of(json_t *json, const char *path, char last[64]) {
    for (;;) {
        const size_t n = strcspn(path, ".");
        snprintf(last, 64, "%.*s", (int)n, path);
        if (!path[n]) return json;
        json = isdigit((unsigned char)last[0]) ? json_array_get(json, (size_t)atoi(last)) : json_object_get(json, last);
        path += n + 1;
    }
}

char *machine_json_changed(const char *text, const char *path, const char *value) {
    json_t *json = json_loads(text, 0, NULL), *to = value ? json_loads(value, JSON_DECODE_ANY, NULL) : NULL;
    char last[64];
    json_t *parent = json ? parent_of(json, path, last) : NULL;
    if (!parent || (value && !to)) fail_msg("no such change: %s to %s", path, value);
    if (json_is_array(parent))
        to ? json_array_set_new(parent, (size_t)atoi(last), to) : json_array_remove(parent, (size_t)atoi(last));
    else
        to ? json_object_set_new(parent, last, to) : json_object_del(parent, last);
    char *changed = json_dumps(json, 0);
    json_decref(json);
    return changed;
}

int machine_json_read(const char *machine, const char *accelerator, struct machine *m, struct base_error *e) {
    folder_write("a.json", accelerator, strlen(accelerator));
    folder_write("m.json", machine, strlen(machine));
    return machine_read(folder_path, m, e);
}

void machine_json_refused(const char *machine, const char *accelerator, const char *file, const char *word,
                          const char *fix) {
    static struct machine m, untouched;
    struct base_error e = {0};
    memset(&m, 0x5a, sizeof m);
    memset(&untouched, 0x5a, sizeof untouched);
    const int code = machine_json_read(machine, accelerator, &m, &e);
    if (code != BASE_USAGE) fail_msg("code %d, wanted %d and %s", code, BASE_USAGE, word);
    if (!strstr(e.text, file) || !strstr(e.text, word) || !strstr(e.text, fix) || strchr(e.text, '\n'))
        fail_msg("\"%s\" does not name %s, %s and %s", e.text, file, word, fix);
    assert_memory_equal(&m, &untouched, sizeof m);
}

void machine_json_need_catalog(void) {
    char path[RECORD_CATALOG_PATH];
    if (!record_catalog_path("facilities.json", path, NULL)) return;
    printf("SKIP: machines by name: no catalogue beside this build\n");
    skip();
}
