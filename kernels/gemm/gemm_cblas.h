/* SPDX-License-Identifier: Apache-2.0
 *
 * kernel_gemm by a library of the CBLAS interface: the one that toise is linked with (gemm_openblas.c), or one that the
 * caller supplies in its table. */
#ifndef TOISE_KERNELS_GEMM_CBLAS_H
#define TOISE_KERNELS_GEMM_CBLAS_H

#include "kernels.h"

void kernel_gemm_by(const struct kernel_team *team, const struct kernel_gemm *g, const struct kernel_cblas *library);
/* By team->ops->cblas. */
kernel_gemm_fn kernel_gemm_cblas;

#endif
