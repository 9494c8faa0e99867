/* SPDX-License-Identifier: Apache-2.0
 *
 * Sends to the right, receives from the left. */
#include "parallel/context.h"

void parallel_context_exchange(struct parallel_context *x, enum model_exchange what, const void *to, void *from,
                               size_t bytes) {
    struct comm *c = x->comm;
    const int left = (c->rank + c->size - 1) % c->size, right = (c->rank + 1) % c->size;
    if (x->silent) return;
    c->ops->receive_start(c, from, bytes, left, what, &x->request[what][1]);
    c->ops->send_start(c, to, bytes, right, what, &x->request[what][0]);
}

void parallel_context_exchanged(struct parallel_context *x, enum model_exchange what) {
    for (int i = 0; i < 2 && !x->silent; i++) x->comm->ops->wait(x->comm, &x->request[what][i]);
}
