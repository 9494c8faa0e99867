/* SPDX-License-Identifier: Apache-2.0
 *
 * A source of energy figures: its channels, how to find and to read them, and the table of all kinds. A channel is one
 * counter or sensor. Overlapping channels are all sampled, but only some are counted. */
#ifndef TOISE_ENERGY_SOURCE_H
#define TOISE_ENERGY_SOURCE_H

#include <limits.h>

#include "energy/energy.h"
#include "energy/meter.h"

enum { ENERGY_CHANNELS = 64 };

struct energy_channel {
    char name[64];  /* "package-0", "dram", "Module Power Socket 0" */
    char path[256]; /* its file, or the command */
    bool counted;   /* else part of another channel, or nobody knows what it covers */
    double scale;   /* joules or watts a unit of the file */
    int file;       /* descriptor; -1: none */
    struct energy_meter meter;
};

struct energy_source {
    enum energy_kind kind;
    char scope[16]; /* what the counted channels cover: "node", "platform", "modules", "sockets", "job" */
    enum energy_state state;
    char why[256]; /* unless ENERGY_MEASURED: the path or the fault */
    struct energy_channel channel[ENERGY_CHANNELS];
    int count;
    double period_s;     /* between readings */
    const char *command; /* of ENERGY_COMMAND */
    char words[512];     /* of ENERGY_SLURM: the command */
    /* of ENERGY_CRAY: descriptors and last values of freshness and startup; -1: no such file */
    int freshness, startup;
    double fresh, started;
    double cpu_s; /* CPU time of reading, children included */
};

/* How a kind is found and read. */
struct energy_reader {
    const char *name, *needs; /* "rapl"; what must be readable, for people */
    double period_s;
    bool command; /* each reading starts a process */
    /* Adds channels and sets scope, or state and why. */
    int (*find)(struct energy_source *, const struct energy_options *, struct base_error *);
    void (*read)(struct energy_source *);
};
extern const struct energy_reader energy_readers[ENERGY_KINDS];

/* A source that nobody asked for. */
void energy_source_skip(struct energy_source *source, enum energy_kind kind);
/* Finds one kind under options->root. *source is to be closed, also after an error; BASE_BROKEN: no memory. */
int energy_source_open(struct energy_source *source, enum energy_kind kind, const struct energy_options *options,
                       struct base_error *e);
/* Takes one reading of every channel. Reading files allocates nothing. */
void energy_source_read(struct energy_source *source);
void energy_source_close(struct energy_source *source);

/* For readers. Sets state and why, once: the first fault stays. */
void energy_source_fault(struct energy_source *source, enum energy_state state, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Adds a channel, whose path is a file unless the reader runs commands. A counted one that cannot be read, or is not a
 * number, is a fault; others are left out. A missing file is left out. */
int energy_source_add(struct energy_source *source, const struct energy_channel *channel, enum energy_unit unit,
                      double range, struct base_error *e);
/* The number of counted channels. */
int energy_source_counted(const struct energy_source *source);
/* Reads every channel's file as a plain number. */
void energy_source_read_files(struct energy_source *source);
/* Reads the start of an open file into text[size]; false: unreadable. */
bool energy_text(int file, char *text, size_t size);
/* A finite number at the start of the text; *rest: what follows, without blanks. Neither "nan" nor hexadecimal. */
bool energy_number(const char *text, double *x, const char **rest);
/* Names in a folder that `takes` accepts, sorted; the caller frees each and the list. Negative with errno: none. */
int energy_names(const char *folder, bool (*takes)(const char *name), char ***names);
void energy_names_free(char **names, int count);

int energy_cray_find(struct energy_source *, const struct energy_options *, struct base_error *);
void energy_cray_read(struct energy_source *);
int energy_rapl_find(struct energy_source *, const struct energy_options *, struct base_error *);
int energy_hwmon_find(struct energy_source *, const struct energy_options *, struct base_error *);
int energy_slurm_find(struct energy_source *, const struct energy_options *, struct base_error *);
void energy_slurm_read(struct energy_source *);
int energy_command_find(struct energy_source *, const struct energy_options *, struct base_error *);
void energy_command_read(struct energy_source *);

/* What a command's output means: "212.5", "212.5 W", "1234 J". False with why: neither, or below 0. */
bool energy_command_parse(const char *text, double *x, enum energy_unit *unit, char why[160]);
/* Joules of sstat's one line a step, or the sum of CurrentWatts of scontrol's nodes. False with why: no energy is
 * gathered. */
bool energy_slurm_parse(const char *text, double *x, enum energy_unit *unit, char why[160]);
/* Runs a shell command for at most limit_s, and gives its output. False with why. One at a time in this process. */
bool energy_child(const char *command, double limit_s, char *text, size_t size, char why[160]);

#endif
