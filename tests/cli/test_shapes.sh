#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Kernels are benchmarked on the shapes that the models run: tests/shapes holds every matmul of the ledger of each model
# with a file there, at 1,024 and 2,048 tokens, and nothing else.
. "$(dirname "$0")/../prelude.sh"

# ledger MODEL TOKENS: "trans m n k" of every matmul of a step
ledger() {
    "$toise" train --model "$1" --seq "$2" --gbs 1 --mbs 1 --dry-run --json |
        grep -o '"trans":"[NT]*","m":[0-9]*,"n":[0-9]*,"k":[0-9]*' | sed 's/"[a-z]*"://g; s/"//g; s/,/ /g'
}

for model in bloom-560m bloom-7b1 mistral-7b; do
    listed=$(grep -v '^#' "tests/shapes/$model.txt" | grep . | sort -u)
    run=$({ ledger $model 1024 && ledger $model 2048; } | sort -u)
    if [ "$listed" = "$run" ]; then
        echo "$model: $(wc -l <<<"$run") shapes"
    else
        echo "tests/shapes/$model.txt and the ledger differ:"
        diff <(echo "$listed") <(echo "$run") || true
        bad=1
    fi
done
exit $bad
