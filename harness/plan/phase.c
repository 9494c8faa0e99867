/* SPDX-License-Identifier: Apache-2.0
 *
 * The names of the phases. */
#include "plan/phase.h"

const char *plan_phase_name(enum plan_phase phase) {
    static const char *const names[PLAN_PHASES] = {"batch",    "zero",          "forward", "head",  "backward",
                                                   "pipeline", "communication", "clip",    "update"};
    return names[phase];
}
