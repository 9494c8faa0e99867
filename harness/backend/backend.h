/* SPDX-License-Identifier: Apache-2.0
 *
 * The room backend/ loads matmul libraries at run time: MKL, AOCL, ArmPL, NVPL, BLIS, another OpenBLAS.
 *
 * It promises that the functions called are the file's own, and not those of the OpenBLAS that toise is linked with. It
 * refuses what is no library for this machine, has no cblas_sgemm, or takes 64-bit integers (ILP64). It sets the
 * library's number of threads, and counts those that work. It says which library it is. It needs base/, kernels.h and
 * dlopen. It knows no matmul of a model, and does not check results: the gate and toise kernels do that.
 *
 * The library is loaded by RTLD_LOCAL and RTLD_DEEPBIND. A BLAS calls functions of its own by names that OpenBLAS has
 * too; without DEEPBIND these calls would reach OpenBLAS. A separate namespace (dlmopen) would do as well, but brings a
 * second C library and a second OpenMP with threads of its own, which nobody pins. Address sanitizers do not allow
 * DEEPBIND, so their builds go without. */
#ifndef TOISE_BACKEND_BACKEND_H
#define TOISE_BACKEND_BACKEND_H

#include <jansson.h>
#include <limits.h>

#include "base/error.h"
#include "kernels.h"

/* A loaded library. It stays loaded, since its threads may outlive any call. */
struct backend {
    struct kernel_cblas cblas;   /* its functions, for kernel_select_cblas */
    void *handle;                /* of dlopen */
    char path[PATH_MAX];         /* without links */
    long long bytes, modified_s; /* the file's size, and seconds from 1970 to its last change */
    const char *name;            /* "OpenBLAS", "MKL", ...; NULL: unknown */
    char version[128];           /* in its own words; "": unknown */
    char core[256];              /* its choice for this CPU: "SkylakeX", "AVX-512 enabled processors"; "": unknown */
    const char *bf16;            /* the function of cblas.sbgemm; NULL: none */
    const char *held_by;         /* the function that set its threads; NULL: none has */
    int threads;                 /* asked for */
    int threads_used;            /* counted by backend_count; 0: unknown */
};

/* Loads the library and sets its threads. Call before threads are pinned: those that it starts inherit the affinity of
 * the caller. BASE_USAGE, with the cure: it is refused. */
int backend_open(struct backend *b, const char *path, int threads, struct base_error *e);
/* The OpenBLAS that toise is linked with, in the same terms, with its threads set. */
void backend_linked(struct backend *b, int threads);
/* Counts the threads that multiply. Call after threads are pinned. BASE_USAGE: they are more than asked for, or share
 * CPUs although there are enough. */
int backend_count(struct backend *b, struct base_error *e);
/* What a person should know about the threads: too few of them work, or the number is unknown. "": nothing. */
void backend_warning(const struct backend *b, char *text, size_t size);
/* The record's `machine.blas`, a new reference. */
json_t *backend_json(const struct backend *b);

/* Copies the address of a function of the library to *function, a pointer to a function. False and NULL: it has none.
 */
bool backend_find(const struct backend *b, const char *name, void *function);
/* Sets name, version and core. */
void backend_identify(struct backend *b);
/* Sets the number of threads and held_by. */
void backend_hold(struct backend *b);
/* One matmul, so that the library starts its threads. */
void backend_wake(const struct backend *b);
/* BASE_USAGE: the file, of so many bytes, is not a whole shared library for this machine. */
int backend_look(const char *path, long long bytes, struct base_error *e);
/* BASE_USAGE: integers of its interface have 64 bits. Calls cblas_sgemm once. */
int backend_integers(const struct backend *b, struct base_error *e);

#endif
