/* SPDX-License-Identifier: Apache-2.0
 *
 * Which library it is. Each is known by a function of its own, declared in its manual: OpenBLAS (cblas.h), MKL
 * (mkl_service.h), BLIS and AOCL (blis.h), ArmPL (armpl.h), NVPL (nvpl_blas_service.h), FlexiBLAS (flexiblas_api.h). */
#include <stdio.h>
#include <string.h>

#include "backend/backend.h"

/* Copies one line: up to the first control character, without blanks at the end. */
static void copy(char *text, size_t size, const char *from) {
    size_t used = 0;
    for (; from && (unsigned char)*from >= ' ' && used + 1 < size; from++) text[used++] = *from;
    while (used > 0 && text[used - 1] == ' ') used--;
    text[used] = '\0';
}

static bool openblas(struct backend *b) {
    char *(*config)(void), *(*core)(void);
    if (!backend_find(b, "openblas_get_config", &config)) return false;
    const char *text = config();
    const size_t name = strncmp(text, "OpenBLAS ", 9) ? 0 : 9;
    copy(b->version, sizeof b->version, text + name);
    if (name && strchr(b->version, ' ')) *strchr(b->version, ' ') = '\0';
    if (backend_find(b, "openblas_get_corename", &core)) copy(b->core, sizeof b->core, core());
    return true;
}

/* "Intel(R) oneAPI Math Kernel Library Version 2024.0-Product Build 20231011 for Intel(R) 64 architecture applications"
 */
static bool mkl(struct backend *b) {
    struct {
        int numbers[4];
        const char *status, *build, *processor, *platform;
    } facts = {{0}, NULL, NULL, NULL, NULL};
    void (*version)(char *, int), (*details)(void *);
    char text[256] = "";
    if (!backend_find(b, "MKL_Get_Version_String", &version)) return false;
    version(text, sizeof text - 1);
    const char *from = strstr(text, "Version ");
    char *end = strstr(text, " for ");
    if (end) *end = '\0';
    copy(b->version, sizeof b->version, from ? from + 8 : text);
    if (backend_find(b, "MKL_Get_Version", &details)) details(&facts), copy(b->core, sizeof b->core, facts.processor);
    return true;
}

static bool blis(struct backend *b) {
    const char *(*version)(void), *(*arch)(int);
    int (*id)(void);
    if (!backend_find(b, "bli_info_get_version_str", &version)) return false;
    copy(b->version, sizeof b->version, version());
    if (backend_find(b, "bli_arch_query_id", &id) && backend_find(b, "bli_arch_string", &arch))
        copy(b->core, sizeof b->core, arch(id()));
    return true;
}

static bool armpl(struct backend *b) {
    void (*version)(int64_t *, int64_t *, int64_t *, const char **); /* int in builds with 32-bit integers */
    int64_t n[3] = {0};
    const char *tag = NULL;
    if (!backend_find(b, "armplversion", &version)) return false;
    version(&n[0], &n[1], &n[2], &tag);
    snprintf(b->version, sizeof b->version, "%d.%d.%d", (int)n[0], (int)n[1], (int)n[2]);
    return true;
}

static bool nvpl(struct backend *b) {
    int (*version)(void);
    if (!backend_find(b, "nvpl_blas_get_version", &version)) return false;
    const int n = version();
    snprintf(b->version, sizeof b->version, "%d.%d.%d", n / 10000, n / 100 % 100, n % 100);
    return true;
}

static bool flexiblas(struct backend *b) {
    void (*version)(int *, int *, int *);
    int n[3] = {0};
    if (!backend_find(b, "flexiblas_get_version", &version)) return false;
    version(&n[0], &n[1], &n[2]);
    snprintf(b->version, sizeof b->version, "%d.%d.%d", n[0], n[1], n[2]);
    return true;
}

static bool atlas(struct backend *b) {
    void (*gemm)(void);
    return backend_find(b, "ATL_sgemm", &gemm);
}

/* FlexiBLAS comes first, as it also has functions of others. */
void backend_identify(struct backend *b) {
    static const struct {
        const char *name;
        bool (*is)(struct backend *);
    } libraries[] = {{"FlexiBLAS", flexiblas}, {"OpenBLAS", openblas}, {"MKL", mkl},    {"BLIS", blis},
                     {"ArmPL", armpl},         {"NVPL", nvpl},         {"ATLAS", atlas}};
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries && !b->name; i++)
        if (libraries[i].is(b)) b->name = libraries[i].name;
}
