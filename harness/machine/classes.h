/* SPDX-License-Identifier: Apache-2.0
 *
 * Device classes: generations of accelerators that are priced alike, read from the catalogue's classes.json. A class
 * has traits, which are fitted on published runs from the priors in that file. An accelerator names its class. */
#ifndef TOISE_MACHINE_CLASSES_H
#define TOISE_MACHINE_CLASSES_H

#include "base/error.h"
#include "machine/fact.h"

/* The fitted traits of a class. */
enum machine_trait {
    MACHINE_MATMUL_SHARE,      /* share of the peak that large matmuls get */
    MACHINE_FLASH_SHARE,       /* share of the peak that fused attention gets */
    MACHINE_OLDER_FLASH_SHARE, /* the same, with kernels older than the class */
    MACHINE_FP8_SHARE,         /* share of the FP8 peak that large matmuls get */
    MACHINE_FP4_SHARE,         /* the same of FP4 */
    MACHINE_DIRECT_RATE,       /* bytes/s of a step's all-reduces over links divided among the peers */
    MACHINE_OMNIPATH_NODE,     /* bytes/s of a node into Omni-Path, all groups together */
    MACHINE_OMNIPATH_GROUP,    /* bytes/s of a node into Omni-Path, one group alone */
    MACHINE_TRAITS
};

enum { MACHINE_CLASSES = 16, MACHINE_PRIORS = 64 };

struct machine_class {
    const char *name, *title;
    int index; /* among the classes */
    struct {
        int prior;    /* its index; -1: the class lacks the trait */
        double times; /* factor on another class's prior; 1 on its own */
    } trait[MACHINE_TRAITS];
    struct machine_fact link_share;      /* share of the links' nominal rate that all-reduces get */
    struct machine_fact tf32_share;      /* share of the 16-bit peak that matmuls of FP32 numbers get */
    struct machine_fact fused_attention; /* value: 1 if it has such kernels, else 0 */
    struct machine_fact joule_per_flop;  /* power over the 16-bit peak, of the chip that its traits are of */
};

struct machine_prior {
    char name[64]; /* "hopper.matmul_share" */
    const char *meaning;
    double value, spread; /* spread: standard deviation of its logarithm */
};

struct machine_classes {
    struct machine_class class[MACHINE_CLASSES];
    struct machine_prior prior[MACHINE_PRIORS];
    int count, priors;
};

/* The catalogue's classes, read once. BASE_USAGE names file, field and fix. */
int machine_classes(const struct machine_classes **classes, struct base_error *e);
/* NULL: no class has that name. */
const struct machine_class *machine_class_find(const struct machine_classes *classes, const char *name);
bool machine_class_has(const struct machine_class *class, enum machine_trait trait);
/* The class that a fact states; "other" if it is unknown. */
int machine_class_of(const struct machine_fact *stated, const struct machine_class **class, struct base_error *e);

/* Their names, up to a NULL, once they are read. The words of a rule. */
extern const char *machine_class_names[MACHINE_CLASSES + 1];

#endif
