/* SPDX-License-Identifier: Apache-2.0
 *
 * The SKIP lines of a test of every variant, for the instruction sets that it cannot run here. */
#ifndef TOISE_TESTS_LACKING_H
#define TOISE_TESTS_LACKING_H

#include <stdio.h>

#include "kernels.h"

static inline void lacking_report(void) {
    for (int isa = 0; isa < KERNEL_ISA_COUNT; isa++)
        if (!kernel_isa_usable((enum kernel_isa)isa))
            printf("EMULATED: %s: this CPU or build lacks it; make emulated runs it\n",
                   kernel_isa_name((enum kernel_isa)isa));
}

#endif
