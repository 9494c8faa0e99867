/* SPDX-License-Identifier: Apache-2.0
 *
 * The ring of context parallel ranks: the model's hooks exchange and exchanged (model/model.h). */
#ifndef TOISE_PARALLEL_CONTEXT_H
#define TOISE_PARALLEL_CONTEXT_H

#include "comm/comm.h"
#include "model/model.h"

struct parallel_context {
    struct comm *comm;                 /* NULL: a rank has whole sequences */
    struct comm_request request[2][2]; /* by kind: sent, received */
    bool silent;                       /* send nothing: values are not those of the model */
};

void parallel_context_exchange(struct parallel_context *context, enum model_exchange what, const void *to, void *from,
                               size_t bytes);
void parallel_context_exchanged(struct parallel_context *context, enum model_exchange what);

#endif
