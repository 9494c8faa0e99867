/* SPDX-License-Identifier: Apache-2.0
 *
 * The flags that say what is trained, which a checkpoint keeps. Only for this room. */
#ifndef TOISE_TRAINING_WORK_H
#define TOISE_TRAINING_WORK_H

extern const char *const training_work[]; /* their names; NULL after the last */

#endif
