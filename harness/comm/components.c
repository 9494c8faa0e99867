/* SPDX-License-Identifier: Apache-2.0
 *
 * Asks MPI's tool interface (MPI_T) which components Open MPI kept. Each component has a variable
 * FRAMEWORK_NAME_major_version, which is gone once Open MPI has closed the component for want of use. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "comm/internal.h"

/* Appends the component that variable i belongs to, if it is of this framework. */
static void append(int i, const char *framework, char *names, size_t size) {
    static const char end[] = "_major_version";
    char name[256];
    int room = sizeof name, verbosity, binding, scope;
    MPI_Datatype type;
    MPI_T_enum values;
    /* a variable that is gone is an error */
    if (MPI_T_cvar_get_info(i, name, &room, &verbosity, &type, &values, NULL, NULL, &binding, &scope)) return;
    const size_t length = strlen(name), start = strlen(framework) + 1, tail = sizeof end - 1;
    if (length <= start + tail || strncmp(name, framework, start - 1) || name[start - 1] != '_') return;
    if (strcmp(name + length - tail, end) != 0) return;
    name[length - tail] = '\0';
    base_text_append(names, size, name + start);
}

bool comm_components(const char *framework, char *names, size_t size) {
    int started = 0, level, count = 0;
    names[0] = '\0';
    MPI_Initialized(&started);
    /* MPICH 4.0 has no such variables, and crashes when the interface is opened a second time */
    if (!started || !strstr(comm_library(), "Open MPI") || MPI_T_init_thread(MPI_THREAD_SINGLE, &level)) return false;
    if (MPI_T_cvar_get_num(&count)) count = 0;
    for (int i = 0; i < count; i++) append(i, framework, names, size);
    MPI_T_finalize();
    return names[0] != '\0';
}
