/* SPDX-License-Identifier: Apache-2.0
 *
 * Faults on purpose, to test what should notice them. A fault hits the ranks that it names; on all others, and without
 * --inject, every call below returns at once. Faults are of the process, so that the places that may suffer need no
 * argument for them.
 *
 *   slow:rank=3,factor=1.2            its compute takes 1.2 times as long
 *   memory:node=1,factor=1.5          its passes over memory do
 *   link:rank=0,peer=1,factor=2       its messages to and from rank 1 do; without peer= those to all
 *   bitflip:rank=2,step=4             a bit of its gradient is wrong in step 4, once; times=0: in all steps from 4 on
 *   hang:rank=1,step=3                it does nothing any more from step 3 on; seconds=9: for 9 s
 *   hang:rank=1,phase=gate            the same where a phase begins
 *   hang:rank=1,step=3,signal=9       it also sends itself this signal: 9 kills it, 19 stops it
 *
 * `node=N` names all ranks of a node instead of one rank; `peer` is then a node too. Faults are joined by "+".
 *
 * The room inject/ promises this language, and what each place needs to suffer a fault. It needs base/. It does not
 * know who runs, who notices, nor MPI. */
#ifndef TOISE_INJECT_INJECT_H
#define TOISE_INJECT_INJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum inject_kind { INJECT_SLOW, INJECT_MEMORY, INJECT_LINK, INJECT_BITFLIP, INJECT_HANG, INJECT_KINDS };

/* For messages and the help of --inject. */
#define INJECT_HELP "slow, memory, link:rank=N|node=N,factor=X; bitflip:rank=N,step=N; hang:rank=N,step=N; joined by +"

/* What this process suffers: the faults of `text` that name its rank or its node. NULL or "": none. Every rank reads
 * the whole text, so all find the same errors. BASE_USAGE: a fault, a field or a value that is not of the language, a
 * field that is missing, or a rank or node that the run does not have. */
int inject_open(const char *text, int rank, int node, int ranks, int nodes, struct base_error *e);
/* The text, for the record: an injected run measures no machine. NULL: none. */
const char *inject_text(void);

/* How many times as long this process takes (INJECT_SLOW, INJECT_MEMORY); 1: no fault. */
double inject_factor(enum inject_kind kind);
/* The same of a message between this process and another one. */
double inject_link_factor(int peer_rank, int peer_node);
/* Works on until the time since `began` is `factor` times what it was at the call. `poll`: called meanwhile; or NULL.
 */
void inject_stretch(double factor, double began, void (*poll)(void *context), void *context);
/* Flips bit 22 of the float in the middle of the data, where a fault says so. True: it did. */
bool inject_flip(int64_t step, float *data, int64_t count);
/* Where a fault says so, sleeps before it returns. A phase is named by how it begins. step < 0: none. */
void inject_hang(const char *phase, int64_t step);

#endif
