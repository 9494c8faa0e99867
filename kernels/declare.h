/* SPDX-License-Identifier: Apache-2.0
 *
 * Declares every variant of list.h, each with the type of its operation's slot in struct kernel_ops. */
#ifndef TOISE_KERNELS_DECLARE_H
#define TOISE_KERNELS_DECLARE_H

#include "kernels.h"

#define K(op, isa) __typeof__(*((struct kernel_ops *)0)->op) kernel_##op##_##isa;
#include "list.h"
#undef K

#endif
