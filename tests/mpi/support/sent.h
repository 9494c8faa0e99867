/* SPDX-License-Identifier: Apache-2.0
 *
 * Counts the bytes that MPI sends. For one file of a test. */
#ifndef TOISE_TESTS_SENT_H
#define TOISE_TESTS_SENT_H

#include <stdint.h>

/* A wrapper of MPI's function that counts bytes. A datatype is a pointer or an int, depending on the MPI. */
static int64_t sent;
int PMPI_Isend(const void *data, int count, void *type, int to, int tag, void *comm, void *request);
int MPI_Isend(const void *data, int count, void *type, int to, int tag, void *comm, void *request);
int MPI_Isend(const void *data, int count, void *type, int to, int tag, void *comm, void *request) {
    sent += count;
    return PMPI_Isend(data, count, type, to, tag, comm, request);
}

#endif
