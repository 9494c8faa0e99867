/* SPDX-License-Identifier: Apache-2.0
 *
 * Loads a library and finds its functions. */
#define _GNU_SOURCE
#include "backend/backend.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { DEEP = 0 };
#else
enum { DEEP = RTLD_DEEPBIND };
#endif

bool backend_find(const struct backend *b, const char *name, void *function) {
    void *const address = dlsym(b->handle, name);
    memcpy(function, &address, sizeof address); /* C has no conversion from an address to a function */
    return address;
}

static bool has(const struct backend *b, const char *name) {
    void (*function)(void);
    return backend_find(b, name, &function);
}

/* The file that holds an address, as a stat. */
static bool holder(const void *address, struct stat *file, const char **name) {
    Dl_info info;
    if (!dladdr(address, &info) || stat(info.dli_fname, file)) return false;
    *name = info.dli_fname;
    return true;
}

/* Whether the file's OpenBLAS, or that of a library that it needs, is the one that toise is linked with, although the
 * file is another one. The loader takes what is loaded already if the names agree. */
static int check_apart(const struct backend *b, struct base_error *e) {
    void *const config = dlsym(b->handle, "openblas_get_config");
    const char *own_name, *name;
    struct stat own, found, given;
    if (!config || !holder(config, &found, &name) || !holder(kernel_openblas_config(), &own, &own_name)) return BASE_OK;
    if (own.st_ino != found.st_ino || own.st_dev != found.st_dev) return BASE_OK;
    if (!stat(b->path, &given) && given.st_ino == own.st_ino && given.st_dev == own.st_dev) return BASE_OK;
    return base_fail(e, BASE_USAGE,
                     "--backend: %s calls %s, which toise is linked with, and not a library of its own; give the path "
                     "of the library that holds the matmuls",
                     b->path, own_name);
}

/* Says why there is no cblas_sgemm of 32-bit integers. */
static int refuse_names(const struct backend *b, struct base_error *e) {
    static const char *const wide[] = {"cblas_sgemm64_", "cblas_sgemm_64", "cblas_sgemm_64_"};
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
        if (has(b, wide[i]))
            return base_fail(e, BASE_USAGE,
                             "--backend: %s has %s but no cblas_sgemm: its integers have 64 bits (ILP64); take the "
                             "build with 32-bit integers (LP64)",
                             b->path, wide[i]);
    if (has(b, "sgemm_"))
        return base_fail(e, BASE_USAGE,
                         "--backend: %s has sgemm_ but no cblas_sgemm: it lacks the C interface; take a build with "
                         "CBLAS",
                         b->path);
    return base_fail(e, BASE_USAGE, "--backend: %s has no cblas_sgemm: it is no CBLAS library", b->path);
}

static int load(struct backend *b, struct base_error *e) {
    b->handle = dlopen(b->path, RTLD_NOW | RTLD_LOCAL | DEEP);
    if (b->handle) return BASE_OK;
    const char *why = dlerror();
    const size_t length = strlen(b->path);
    const bool itself = why && !strncmp(why, b->path, length);
    return base_fail(e, BASE_USAGE, "--backend: cannot load %s%s%s%s", b->path, itself ? "" : ": ",
                     why ? why + (itself ? length : 0) : "",
                     itself ? "; give the path of a shared library"
                            : "; add the folder of what it needs to LD_LIBRARY_PATH");
}

static void find_bf16(struct backend *b) {
    static const char *const names[] = {"cblas_sbgemm", "cblas_gemm_bf16bf16f32"};
    for (size_t i = 0; i < sizeof names / sizeof *names && !b->cblas.sbgemm; i++)
        if (backend_find(b, names[i], &b->cblas.sbgemm)) b->bf16 = names[i];
}

int backend_open(struct backend *b, const char *path, int threads, struct base_error *e) {
    struct stat file;
    *b = (struct backend){.threads = threads};
    if (!realpath(path, b->path) || stat(b->path, &file))
        return base_fail(e, BASE_USAGE, "--backend: cannot read %s: %s; give the path of a library", path,
                         strerror(errno));
    if (!S_ISREG(file.st_mode))
        return base_fail(e, BASE_USAGE, "--backend: %s is no file; give the path of a library", b->path);
    b->bytes = file.st_size, b->modified_s = file.st_mtime;
    int code = backend_look(b->path, b->bytes, e);
    if (!code) code = load(b, e);
    if (!code) code = check_apart(b, e);
    if (code) return code;
    if (!backend_find(b, "cblas_sgemm", &b->cblas.sgemm)) return refuse_names(b, e);
    find_bf16(b);
    backend_identify(b);
    if ((code = backend_integers(b, e))) return code;
    backend_hold(b);
    backend_wake(b);
    return BASE_OK;
}

void backend_linked(struct backend *b, int threads) {
    struct stat file;
    const char *name;
    *b = (struct backend){.threads = threads, .handle = dlopen(NULL, RTLD_NOW)};
    if (holder(kernel_openblas_config(), &file, &name)) {
        snprintf(b->path, sizeof b->path, "%s", name);
        b->bytes = file.st_size, b->modified_s = file.st_mtime;
    }
    if (!backend_find(b, "cblas_sgemm", &b->cblas.sgemm)) return; /* linked statically, with its names hidden */
    backend_identify(b);
    backend_hold(b);
    backend_wake(b);
}

static json_t *text(const char *s) {
    json_t *value = s && s[0] ? json_string(s) : NULL;
    return value ? value : json_null();
}

json_t *backend_json(const struct backend *b) {
    return json_pack("{s:o,s:I,s:I,s:o,s:o,s:o,s:o,s:i,s:o,s:o}", "path", text(b->path), "bytes", (json_int_t)b->bytes,
                     "modified_s", (json_int_t)b->modified_s, "name", text(b->name), "version", text(b->version),
                     "core", text(b->core), "bf16", text(b->bf16), "threads", b->threads, "threads_held_by",
                     text(b->held_by), "threads_used", b->threads_used ? json_integer(b->threads_used) : json_null());
}
