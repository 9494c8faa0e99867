/* SPDX-License-Identifier: Apache-2.0
 *
 * Which rank writes which tensor of a checkpoint, and so how much a rank copies if it is written while training goes
 * on. Tensors are whole. In order they are cut into as many stretches as there are writers, by where their middles are:
 * in the usual order of ranks stages follow each other too, so most of a stage's tensors stay on it. */
#ifndef TOISE_PLAN_WRITERS_H
#define TOISE_PLAN_WRITERS_H

#include "plan/plan.h"

/* The writer, of `writers`, of a tensor of the whole model. */
int plan_writer(const struct model_params *whole, int writers, int64_t offset, int64_t count);
/* The rank of a pipeline stage that writes most, if all ranks of the request write; -1: of all stages. */
int plan_writes_most(const struct plan_request *request, int stage);
/* Bytes of a rank's copy, and of those of `local` ranks on a node: exact of all ranks, else at most. 0: the request has
 * no copies. */
double plan_copy_bytes(const struct plan_request *request, int rank);
double plan_copies_bytes(const struct plan_request *request, int local);

#endif
