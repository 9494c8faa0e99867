/* SPDX-License-Identifier: Apache-2.0
 *
 * Which MPI runs, and whether it is the one that toise was compiled for. Libraries of one soname differ in their binary
 * interface where it was not promised: Open MPI from one minor version to the next, MPICH's relatives between makers.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "comm/internal.h"

/* The library of mpi.h. Relatives of MPICH define MPICH_VERSION too, and say it at run time ("ANL base 3.4a2"). */
#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
#if defined(OMPI_MAJOR_VERSION)
#define FAMILY "Open MPI"
#define VERSION TEXT(OMPI_MAJOR_VERSION) "." TEXT(OMPI_MINOR_VERSION)
#elif defined(I_MPI_VERSION)
#define FAMILY "Intel"
#define VERSION I_MPI_VERSION
#elif defined(MVAPICH2_VERSION)
#define FAMILY "MVAPICH2"
#define VERSION MVAPICH2_VERSION
#elif defined(MPICH_VERSION)
#define FAMILY "MPICH"
#define VERSION MPICH_VERSION
#else
#define FAMILY "" /* another MPI: every library is its own */
#define VERSION ""
#endif

/* Blanks and tabs become one blank; the text ends with the first line. */
static void tidy(char *text) {
    char *to = text;
    for (const char *at = text; *at && *at != '\r' && *at != '\n'; at++) {
        const bool blank = *at == ' ' || *at == '\t';
        if (!blank || (to > text && to[-1] != ' ')) *to++ = blank ? ' ' : *at;
    }
    *to = '\0';
}

const char *comm_library(void) {
    static char text[MPI_MAX_LIBRARY_VERSION_STRING];
    int length;
    if (!text[0] && MPI_Get_library_version(text, &length) != MPI_SUCCESS) return "unknown MPI";
    tidy(text);
    return text;
}

/* Characters of the first two numbers: 3 of "4.0.2". */
static size_t minor(const char *version) {
    size_t n = strspn(version, "0123456789");
    if (version[n] == '.') n += 1 + strspn(version + n + 1, "0123456789");
    return n;
}

/* Whether the text has this version, up to its second number. */
static bool named(const char *text, const char *version) {
    const size_t length = minor(version);
    for (const char *at = text; length && *at; at++) {
        const bool starts = at == text || (!isdigit((unsigned char)at[-1]) && at[-1] != '.');
        if (starts && !strncmp(at, version, length) && !isdigit((unsigned char)at[length])) return true;
    }
    return !length;
}

bool comm_library_is(const char *text, const char *family, const char *version) {
    static const char *const families[] = {"Open MPI", "Intel", "MVAPICH2", "MPICH"};
    bool known = false;
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) known = known || strstr(text, families[i]);
    return !known || (strstr(text, family) && named(text, version));
}

int comm_library_check(struct base_error *e) {
    if (comm_library_is(comm_library(), FAMILY, VERSION)) return BASE_OK;
    return base_fail(e, BASE_USAGE,
                     "this toise was built for %s %.*s, but runs with %.60s: load the MPI of the build (module load, "
                     "LD_LIBRARY_PATH), or build again with the one that runs: make clean all MPICC=mpicc",
                     FAMILY, (int)minor(VERSION), VERSION, comm_library());
}
