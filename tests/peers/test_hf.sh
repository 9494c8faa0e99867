#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 300
# Compares loss and gradients with Hugging Face's models in PyTorch, using $TOISE_PYTHON or python3.
. "$(dirname "$0")/../prelude.sh"
python=${TOISE_PYTHON:-python3}
command -v "$python" >/dev/null || {
    echo "SKIP: peers/hf_step: no $python"
    exit 77
}
exec "$python" tests/peers/hf_step.py "$BUILD"
