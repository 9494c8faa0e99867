/* SPDX-License-Identifier: Apache-2.0
 *
 * Every command once: C(name, about) declares it, and main.c lists and runs it. A command gets the world and the
 * arguments behind its name. It puts its error into *e and returns the exit code.
 *
 * The room commands/ has one file for each command, with its flags as a table. It promises that nonsense is refused
 * once, with the cure, and that ranks agree before any of them leaves. It needs all other rooms. It does not know how a
 * figure is computed. */
#ifndef TOISE_COMMANDS_COMMANDS_H
#define TOISE_COMMANDS_COMMANDS_H

#include "base/error.h"
#include "comm/comm.h"

/* clang-format off */
#define COMMANDS(C) \
    C(train, "how many tokens/s does a node train, is the result right, where does the time go?") \
    C(kernels, "how near the machine's limit are matmul, attention and the rest; is my BLAS the wrong one?") \
    C(comm, "how fast do these ranks sum gradients, and how much does that slow compute running meanwhile?") \
    C(nodes, "which node is slow, which link, which one computes wrong?") \
    C(info, "what are these nodes, and what differs between them?") \
    C(roofs, "what can this machine do at most: peak by dtype, bandwidth of each cache and of memory?") \
    C(scale, "how does the rate grow from one node to all, strongly and weakly, and where does it stop growing?") \
    C(compare, "which of these machines or settings is faster, by how much, and how sure is that?") \
    C(ab, "which of two commands is faster, by how much, how sure?") \
    C(report, "what do these records say: the rate of each launch, their mean, and how sure it is?") \
    C(import, "what do other tools' figures say in the same statistics?") \
    C(sbatch, "which jobs does a campaign need on this cluster, and what is done?") \
    C(accept, "is what a tender pledges kept, by the slowest node, and how sure is that?") \
    C(project, "how fast does another machine train a model, in which layout, and what does it cost?") \
    C(predict, "how long does a training step take on a machine that toise has measured?") \
    C(curve, "does a projection reproduce a published scaling curve?") \
    C(programme, "what can a programme's machines train, at what cost?") \
    C(validate, "how wrong are projections of published runs?")
/* clang-format on */

#define C(name, about) int command_##name(struct comm *world, int argc, char *const *argv, struct base_error *e);
COMMANDS(C)
#undef C

#endif
