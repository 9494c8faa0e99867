/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the MPI backend share. Only this room includes it. */
#ifndef TOISE_COMM_INTERNAL_H
#define TOISE_COMM_INTERNAL_H

#include <mpi.h>

#include "comm/comm.h"

/* Returns if `result` is MPI_SUCCESS. Otherwise prints the call and the error to stderr and ends the job with
 * BASE_BROKEN. */
void comm_check(int result, const char *call);

/* All-reduces in flight on a communicator whose ranks form a ring. The ring advances together with `sibling` and that
 * one's siblings (NULL: alone). Opening only allocates; NULL: out of memory. */
struct comm_ring;
struct comm_ring *comm_ring_open(struct comm_ring *sibling);
void comm_ring_close(struct comm_ring *ring);
/* Call before the first sum: this rank has `position` of `size` in the ring, between `left` and `right`. */
void comm_ring_place(struct comm_ring *ring, MPI_Comm comm, int position, int size, int left, int right);
/* Like all_reduce_start, progress and wait of comm_ops. */
void comm_ring_start(struct comm_ring *ring, float *buffer, int64_t count, struct comm_request *request);
void comm_ring_progress(struct comm_ring *ring);
void comm_ring_wait(struct comm_ring *ring, struct comm_request *request);

#endif
