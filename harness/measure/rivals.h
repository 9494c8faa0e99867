/* SPDX-License-Identifier: Apache-2.0
 *
 * Threads of other programs that run pinned to a core of this rank's threads. Two programs, or two containers of one
 * machine, often pin themselves to the same cores. Processes of other PID namespaces cannot be seen: what they take
 * shows as load (interference.h). */
#ifndef TOISE_MEASURE_RIVALS_H
#define TOISE_MEASURE_RIVALS_H

#include "measure/placement.h"

/* Looks twice at all threads of the machine, some 20 ms apart. A rival is runnable both times. It may run on one core
 * only, and that is one of the placement's. Threads of the kernel, of the `count` processes `ours`, and of their
 * children are none. New rivals are added to *rivals, which keeps the first MEASURE_RIVALS processes. Nothing if the
 * placement does not pin each thread to a core. */
void measure_rivals_look(struct measure_rivals *rivals, const struct measure_placement *placement, const int *ours,
                         int count);
/* The same; ours are the ranks on this node. Collective. */
void measure_rivals_find(struct measure_rivals *rivals, const struct measure_placement *placement, struct comm *world);
enum { MEASURE_RIVALS_TEXT = 512 };
/* "CPU 3 is shared with python3 (process 812), ...", with the cure; "": no rivals. */
void measure_rivals_text(const struct measure_rivals *rivals, char *text, size_t size);

#endif
