/* SPDX-License-Identifier: Apache-2.0
 *
 * The operations on rows for one instruction set. The including file defines KERNEL_LANES and KERNEL_FN(op). Each
 * operation has a static function for one part of n elements. The loops call it with a constant n for whole parts and
 * with the remainder for the last. */
#include "declare.h"
#include "exp.inc.h"
#include "gelu.inc.h"
#include "parts.inc.h"
#include "scalar.h"
#include "split.h"

#include "rows/norm.inc.h"

#include "rows/elements.inc.h"

#include "rows/stream.inc.h"

#include "rows/swiglu.inc.h"

#include "rows/experts.inc.h"

#include "rows/rotary.inc.h"

#include "rows/cross_entropy.inc.h"

#include "rows/embedding.inc.h"
