/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeps files of /proc and /sys open and rereads them from offset 0. */
#include "measure/interference.h"

#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* 160 bytes hold a CPU's line of ten 64-bit numbers in /proc/stat at any uptime; the rest is for /proc/vmstat */
enum { LINE_BYTES = 160, LEAST_BYTES = 16384 };

static const double steal_limit = 0.01, load_limit = 0.02;

static void watch_group(const char *folder, void *context) {
    struct measure_watch *watch = context;
    char path[4096 + 16];
    snprintf(path, sizeof path, "%s/cpu.stat", folder);
    const int file = watch->groups < MEASURE_GROUPS ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file >= 0) watch->group[watch->groups++] = file;
}

int measure_watch_open(struct measure_watch *watch, const struct base_cpus *cpus, struct base_error *e) {
    int last = cpus->count > 0 ? cpus->cpu[cpus->count - 1] : 0, first = cpus->count > 0 ? cpus->cpu[0] : 0;
    size_t size = LEAST_BYTES + LINE_BYTES * ((size_t)last + 2);
    char *buffer = malloc(size), path[96];
    if (buffer == NULL) return base_fail(e, BASE_BROKEN, "out of memory for reading /proc/stat");
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/cpufreq/scaling_cur_freq", first);
    long ticks = sysconf(_SC_CLK_TCK);
    *watch = (struct measure_watch){.stat = open("/proc/stat", O_RDONLY | O_CLOEXEC),
                                    .vmstat = open("/proc/vmstat", O_RDONLY | O_CLOEXEC),
                                    .clock = open(path, O_RDONLY | O_CLOEXEC),
                                    .tick_s = ticks > 0 ? 1.0 / (double)ticks : 0.01,
                                    .cpus = *cpus,
                                    .buffer = buffer,
                                    .size = size};
    base_cgroup_quota(BASE_CGROUP_MEMBERSHIP, BASE_CGROUP_ROOT, &watch->quota);
    base_cgroup_cpu_groups(BASE_CGROUP_MEMBERSHIP, BASE_CGROUP_ROOT, watch_group, watch);
    return BASE_OK;
}

void measure_watch_close(struct measure_watch *watch) {
    if (watch->stat >= 0) close(watch->stat);
    if (watch->vmstat >= 0) close(watch->vmstat);
    if (watch->clock >= 0) close(watch->clock);
    for (int i = 0; i < watch->groups; i++) close(watch->group[i]);
    free(watch->buffer);
    *watch = (struct measure_watch){.stat = -1, .vmstat = -1, .clock = -1};
}

/* The file's text; "": unreadable */
static const char *text_of(const struct measure_watch *watch, int file) {
    ssize_t got = file >= 0 ? pread(file, watch->buffer, watch->size - 1, 0) : 0;
    watch->buffer[got > 0 ? got : 0] = '\0';
    return watch->buffer;
}

void measure_interference_parse(const char *stat, const struct base_cpus *cpus, double tick_s,
                                struct measure_interference *now) {
    enum { USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL, FIELDS };
    unsigned long long busy = 0, steal = 0;
    int next = 0; /* lines and cpus are both ascending */
    for (const char *line = stat; next < cpus->count && strncmp(line, "cpu", 3) == 0;) {
        char *at;
        long cpu = line[3] == ' ' ? -1 : strtol(line + 3, &at, 10); /* the first line sums all CPUs */
        while (next < cpus->count && cpus->cpu[next] < cpu) next++;
        if (cpu >= 0 && next < cpus->count && cpus->cpu[next] == cpu) {
            unsigned long long field[FIELDS];
            for (int i = 0; i < FIELDS; i++) field[i] = strtoull(at, &at, 10);
            /* user time includes guests' time */
            busy += field[USER] + field[NICE] + field[SYSTEM] + field[IRQ] + field[SOFTIRQ];
            steal += field[STEAL];
        }
        const char *end = strchr(line, '\n');
        if (end == NULL) break;
        line = end + 1;
    }
    now->busy_s = tick_s * (double)busy;
    now->steal_s = tick_s * (double)steal;
}

static long long field_of(const char *stat, const char *key) {
    const char *at = strstr(stat, key);
    return at != NULL ? strtoll(at + strlen(key), NULL, 10) : 0;
}

void measure_interference_parse_group(const char *stat, struct measure_interference *now) {
    now->throttled_periods += field_of(stat, "nr_throttled ");
    now->throttled_s += 1e-6 * (double)field_of(stat, "throttled_usec ");
    now->throttled_s += 1e-9 * (double)field_of(stat, "throttled_time ");
}

static double seconds_of(struct timeval t) {
    return (double)t.tv_sec + 1e-6 * (double)t.tv_usec;
}

void measure_watch_read(const struct measure_watch *watch, struct measure_interference *now) {
    struct measure_interference read = {0};
    struct rusage own;
    measure_interference_parse(text_of(watch, watch->stat), &watch->cpus, watch->tick_s, &read);
    const char *miss = strstr(text_of(watch, watch->vmstat), "\nnuma_miss ");
    if (miss != NULL) read.numa_misses = strtoll(miss + strlen("\nnuma_miss "), NULL, 10);
    read.hz = 1e3 * strtod(text_of(watch, watch->clock), NULL);
    if (getrusage(RUSAGE_SELF, &own) == 0) {
        read.own_s = seconds_of(own.ru_utime) + seconds_of(own.ru_stime);
        read.voluntary_switches = own.ru_nvcsw;
        read.involuntary_switches = own.ru_nivcsw;
        read.minor_faults = own.ru_minflt;
        read.major_faults = own.ru_majflt;
    }
    for (int i = 0; i < watch->groups; i++) measure_interference_parse_group(text_of(watch, watch->group[i]), &read);
    *now = read;
}

struct measure_interference measure_interference_difference(const struct measure_interference *after,
                                                            const struct measure_interference *before) {
    struct measure_interference d = {
        .steal_s = after->steal_s - before->steal_s,
        .busy_s = after->busy_s - before->busy_s,
        .own_s = after->own_s - before->own_s,
        .voluntary_switches = after->voluntary_switches - before->voluntary_switches,
        .involuntary_switches = after->involuntary_switches - before->involuntary_switches,
        .minor_faults = after->minor_faults - before->minor_faults,
        .major_faults = after->major_faults - before->major_faults,
        .numa_misses = after->numa_misses - before->numa_misses,
        .throttled_periods = after->throttled_periods - before->throttled_periods,
        .throttled_s = after->throttled_s - before->throttled_s,
        .hz = after->hz < before->hz ? after->hz : before->hz,
    };
    d.other_s = d.busy_s > d.own_s ? d.busy_s - d.own_s : 0.0;
    return d;
}

void measure_interference_add(struct measure_interference *sum, const struct measure_interference *difference) {
    const struct measure_interference *d = difference;
    const bool first = sum->hz <= 0 || d->hz < sum->hz;
    sum->steal_s += d->steal_s, sum->busy_s += d->busy_s, sum->own_s += d->own_s, sum->other_s += d->other_s;
    sum->voluntary_switches += d->voluntary_switches, sum->involuntary_switches += d->involuntary_switches;
    sum->minor_faults += d->minor_faults, sum->major_faults += d->major_faults;
    sum->numa_misses += d->numa_misses;
    sum->throttled_periods += d->throttled_periods, sum->throttled_s += d->throttled_s;
    if (first) sum->hz = d->hz; /* the lowest */
}

unsigned measure_interference_marks(const struct measure_interference *difference, double seconds, int cpus) {
    double grain = (double)cpus / (double)sysconf(_SC_CLK_TCK), time = seconds * cpus;
    unsigned marks = 0;
    if (difference->steal_s > fmax(steal_limit * time, grain)) marks |= MEASURE_MARK_STEAL;
    if (difference->other_s > fmax(load_limit * time, grain)) marks |= MEASURE_MARK_LOAD;
    if (difference->major_faults > 0) marks |= MEASURE_MARK_FAULTS;
    if (difference->numa_misses > 0) marks |= MEASURE_MARK_NUMA;
    if (difference->throttled_periods > 0) marks |= MEASURE_MARK_THROTTLED;
    return marks;
}
