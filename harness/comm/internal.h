/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the MPI backend share; for this room alone. */
#ifndef TOISE_COMM_INTERNAL_H
#define TOISE_COMM_INTERNAL_H

#include <mpi.h>

#include "comm/comm.h"

/* Passes MPI_SUCCESS; anything else is named on stderr with the call and ends the job with BASE_BROKEN. */
void comm_check(int result, const char *call);

/* Sums in flight on a communicator whose ranks form a ring. It advances together with `beside` and whatever that
 * advances with (NULL: alone). Opening it takes memory alone, NULL: there is none. */
struct comm_ring;
struct comm_ring *comm_ring_open(struct comm_ring *beside);
void comm_ring_close(struct comm_ring *ring);
/* Before the first sum: this rank stands at `position` of `size`, between `left` and `right`. */
void comm_ring_place(struct comm_ring *ring, MPI_Comm comm, int position, int size, int left, int right);
/* As all_reduce_start, progress and wait of comm_ops. */
void comm_ring_start(struct comm_ring *ring, float *buffer, int64_t count, struct comm_request *request);
void comm_ring_progress(struct comm_ring *ring);
void comm_ring_wait(struct comm_ring *ring, struct comm_request *request);

#endif
