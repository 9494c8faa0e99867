/* SPDX-License-Identifier: Apache-2.0
 *
 * Network interfaces with a device behind them, bonds of such, and the adapters of MPI's fast networks. Addresses are
 * left out: they say nothing about speed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inventory/reader.h"

static bool exists(const struct inventory_reader *r, const char *folder, const char *name, const char *file) {
    char path[PATH_MAX];
    return access(inventory_path(r, path, "%s/%s/%s", folder, name, file), F_OK) == 0;
}

/* Keeps the reason under the interface's name. Returns null. */
static json_t *unknown(struct inventory_reader *r, const char *list, const char *name, const char *key,
                       const char *why) {
    char path[160];
    snprintf(path, sizeof path, "%s.%.64s.%s", list, name, key);
    json_object_set_new(r->unknown, path, json_string(why));
    return json_null();
}

/* A link that is down has a speed of -1, or none that can be read. */
static void read_interface(struct inventory_reader *r, const char *name, void *context) {
    static const char folder[] = "sys/class/net";
    char file[PATH_MAX], driver[64], state[32];
    if (!exists(r, folder, name, "device") && !exists(r, folder, name, "bonding")) return;
    snprintf(file, sizeof file, "%s/%.64s/device", folder, name);
    inventory_driver(r, file, driver, sizeof driver);
    snprintf(file, sizeof file, "%s/%.64s/operstate", folder, name);
    inventory_line(r, file, state, sizeof state);
    const bool up = !strcmp(state, "up");
    snprintf(file, sizeof file, "%s/%.64s/mtu", folder, name);
    const long long mtu = inventory_number(r, file);
    snprintf(file, sizeof file, "%s/%.64s/speed", folder, name);
    const long long speed = inventory_number(r, file);
    const char *why = !up ? "link is not up" : r->virtualised ? "virtual machine does not say" : "driver does not say";
    json_t *o = json_pack("{s:s, s:s, s:b}", "name", name, "driver", driver[0] ? driver : "bonding", "up", up);
    json_object_set_new(o, "bit_per_s",
                        speed > 0 && up ? json_real(1e6 * (double)speed)
                                        : unknown(r, "interfaces", name, "bit_per_s", why));
    if (mtu > 0) json_object_set_new(o, "mtu", json_integer(mtu));
    json_array_append_new(context, o);
}

struct adapter {
    const char *folder, *name;
    json_t *list;
};

static json_t *add_adapter(struct inventory_reader *r, const struct adapter *a, const char *name) {
    char device[PATH_MAX], driver[64];
    snprintf(device, sizeof device, "%s/%.64s/device", a->folder, a->name);
    inventory_driver(r, device, driver, sizeof driver);
    json_t *o = json_pack("{s:s}", "name", name);
    json_object_set_new(o, "driver",
                        driver[0] ? json_string(driver) : unknown(r, "adapters", name, "driver", "absent"));
    json_array_append_new(a->list, o);
    return o;
}

/* A port: state "4: ACTIVE", rate "200 Gb/sec (4X HDR)". A port that is down has a made-up rate. */
static void read_port(struct inventory_reader *r, const char *port, void *context) {
    const struct adapter *a = context;
    char file[PATH_MAX], name[96], text[64];
    snprintf(name, sizeof name, "%.64s/%.16s", a->name, port);
    json_t *o = add_adapter(r, a, name);
    snprintf(file, sizeof file, "%s/%.64s/ports/%.16s/state", a->folder, a->name, port);
    inventory_line(r, file, text, sizeof text);
    const bool up = strstr(text, "ACTIVE") != NULL;
    snprintf(file, sizeof file, "%s/%.64s/ports/%.16s/rate", a->folder, a->name, port);
    const char *why = inventory_line(r, file, text, sizeof text);
    const double rate = strtod(text, NULL);
    json_object_set_new(o, "up", json_boolean(up));
    json_object_set_new(o, "bit_per_s",
                        up && rate > 0 ? json_real(1e9 * rate)
                                       : unknown(r, "adapters", name, "bit_per_s",
                                                 !up   ? "link is not up"
                                                 : why ? why
                                                       : "not a rate"));
    snprintf(file, sizeof file, "%s/%.64s/fw_ver", a->folder, a->name);
    if (!inventory_line(r, file, text, sizeof text)) json_object_set_new(o, "firmware", json_string(text));
}

static void read_infiniband(struct inventory_reader *r, const char *name, void *context) {
    char folder[PATH_MAX];
    struct adapter a = {"sys/class/infiniband", name, context};
    snprintf(folder, sizeof folder, "%s/%.64s/ports", a.folder, name);
    inventory_list(r, folder, "", read_port, &a);
}

/* Slingshot (cxi) and BXI; their rate is that of the interface of the same card. */
static void read_cxi(struct inventory_reader *r, const char *name, void *context) {
    add_adapter(r, &(struct adapter){"sys/class/cxi", name, context}, name);
}
static void read_bxi(struct inventory_reader *r, const char *name, void *context) {
    add_adapter(r, &(struct adapter){"sys/class/bxi", name, context}, name);
}

void inventory_network(struct inventory_reader *r) {
    json_t *interfaces = json_array(), *adapters = json_array();
    const char *why = inventory_list(r, "sys/class/net", "", read_interface, interfaces);
    inventory_put(r, "interfaces", why ? NULL : json_incref(interfaces), why);
    /* a class is there only if its driver is */
    inventory_list(r, "sys/class/infiniband", "", read_infiniband, adapters);
    inventory_list(r, "sys/class/cxi", "", read_cxi, adapters);
    inventory_list(r, "sys/class/bxi", "", read_bxi, adapters);
    inventory_put(r, "adapters", why ? NULL : json_incref(adapters), why);
    json_decref(interfaces);
    json_decref(adapters);
}
