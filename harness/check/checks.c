/* SPDX-License-Identifier: Apache-2.0
 *
 * Names and texts of the checks. */
#include "check/checks.h"

static const struct {
    const char *name, *text;
} checks[CHECK_COUNT] = {
    [CHECK_LOSS] = {"loss", "loss, small model against FP64"},
    [CHECK_GRADIENTS] = {"gradients", "gradients, small model against FP64"},
    [CHECK_OPTIMIZER] = {"optimizer", "AdamW, small model against FP64"},
    [CHECK_SUMS] = {"sums", "sums over ranks of known numbers"},
    [CHECK_REPLICAS] = {"replicas", "same bits on all ranks"},
    [CHECK_MATMUL] = {"matmul", "every matmul at full size (Freivalds)"},
    [CHECK_ATTENTION] = {"attention", "sampled attention rows at full size"},
    [CHECK_LOSS_FULL] = {"full", "loss of a sequence's start at full size"},
    [CHECK_FINITE] = {"finite", "timed losses and norms are numbers"},
    [CHECK_HISTORY] = {"history", "timed losses against earlier records"},
    [CHECK_BASE] = {"base", "losses and norms against the curve's base"},
};

const char *check_name(enum check check) {
    return checks[check].name;
}
const char *check_text(enum check check) {
    return checks[check].text;
}
