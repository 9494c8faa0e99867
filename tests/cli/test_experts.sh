#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 240
# Mixtures of experts as a user meets them: the same losses and weights however ranks share out experts; loads that are
# the router's or the user's; memory as planned; what does not fit is refused with what would.
. "$(dirname "$0")/../prelude.sh"
. scripts/mpi.sh
no_grace

moe() { # moe RANKS FLAGS...: its exit code; 3 is right too, as time decides it
    local ranks=$1 code=0
    shift
    mpi_launch "$ranks" "$toise" train --model tiny-mixtral --seq 64 --gbs 4 --warmup 0 --threads 1 --energy off "$@" \
        >"$work/out" 2>&1 || code=$?
    [ $code = 3 ] || return $code
}

# A run on one rank, and the same work in other layouts: losses as rounding allows.
while read -r ranks flags; do
    for precision in fp32 bf16; do
        # shellcheck disable=SC2086  # flags are several words
        moe "$ranks" --steps 4 --precision "$precision" $flags --out "$work/$precision.jsonl" ||
            fail "$precision, $ranks $flags: exit $?: $(tail -3 "$work/out")"
    done
done <<'END'
1
2 --ep 2
2 --ep 2 --zero 1 --recompute selective
4 --ep 2 --zero 3 --recompute full
4 --ep 4
4 --tp 2 --sp --ep 2
4 --cp 2 --ep 4 --zero 2
4 --pp 2 --ep 2
END
# A router of sigmoids with a bias, and a shared expert. Steps move the biases by what all ranks counted.
while read -r ranks flags; do
    for precision in fp32 bf16; do
        # shellcheck disable=SC2086
        moe "$ranks" --model tiny-glm4_moe --steps 4 --precision "$precision" $flags --out "$work/glm-$precision.jsonl" --save "$work/glm" ||
            fail "glm, $precision, $ranks $flags: exit $?: $(tail -3 "$work/out")"
        python3 tests/cli/biases.py "$work/glm/model.safetensors" 0.004 || fail "glm, $precision, $ranks $flags: the biases"
        rm -rf "$work/glm"
    done
done <<'END'
1
2 --ep 2 --zero 3
4 --tp 2 --sp --ep 2 --recompute full
4 --pp 2 --ep 2 --zero 1
4 --cp 2 --ep 4
END
says '^loads       the busiest expert gets [0-9.]+ x the mean of rows, the busiest of 4 ranks [0-9.]+ x$'
run 0 train --model tiny-glm4_moe --dry-run
says '^experts +a token passes 2 of 8 and 1 shared, and 114,000 parameters; route measured$'
# Loads by the user, which count as other work.
for route in balanced skew=2 skew=4; do
    moe 2 --steps 2 --ep 2 --route $route --out "$work/routes.jsonl" || fail "--route $route: exit $?: $(tail -3 "$work/out")"
done
valid "$work/fp32.jsonl" "$work/bf16.jsonl" "$work/glm-fp32.jsonl" "$work/glm-bf16.jsonl" "$work/routes.jsonl"
python3 - "$work" <<'END' || bad=1
import json, sys
work, problems = sys.argv[1], []
read = lambda name: [json.loads(line) for line in open(f"{work}/{name}.jsonl")]
for name, bound in ("fp32", 1e-5), ("bf16", 2e-3), ("glm-fp32", 1e-5), ("glm-bf16", 2e-3):
    records = read(name)
    for r in records:
        worst = max(abs(a / b - 1) for a, b in zip(r["result"]["loss"], records[0]["result"]["loss"]))
        if not worst <= bound: problems.append(f"{name} {r['layout']}: losses differ by {worst:.1e}")
    loads = [r["result"]["experts"]["busiest_expert"] for r in records]
    if max(loads) / min(loads) > 1.02: problems.append(f"{name}: loads depend on the layout: {loads}")
for r in read("fp32") + read("bf16") + read("glm-fp32") + read("glm-bf16") + read("routes"):
    result, ranks = r["result"], r["layout"].get("ep", 1)
    over = result["peak_memory_bytes"] / result["predicted_memory_bytes"] - 1
    # or two huge pages that the system gave to small arrays
    if abs(over) > max(0.05, (4 << 20) / result["predicted_memory_bytes"]): problems.append(f"{r['layout']}: {over:+.1%} of the planned memory")
    if ("ep" in result.get("communication", {})) != (ranks > 1): problems.append(f"{r['layout']}: communication")
    x = result["experts"]
    balanced = (x["balance_loss"] > 0) == (r["config"]["balance_weight"] > 0)
    if not 1 <= x["busiest_rank"] <= x["busiest_expert"] <= 4 or not balanced: problems.append(str(x))
for r, skew in zip(read("routes"), (1, 2, 4)):
    x = result = r["result"]["experts"]
    rank = (skew + 3 * (8 - skew) / 7) / 4 # the favoured expert and three others
    if abs(x["busiest_expert"] - skew) > 0.02 or abs(x["busiest_rank"] - rank) > 0.02: problems.append(f"skew {skew}: {x}")
if problems: print("\n".join(problems))
sys.exit(bool(problems))
END

# Weights go through any layout unchanged.
moe 2 --steps 2 --ep 2 --save "$work/saved" || fail "--save: exit $?"
while read -r ranks flags; do
    # shellcheck disable=SC2086
    moe "$ranks" --steps 2 --init "$work/saved" --lr 0 --save "$work/again" $flags || fail "$ranks $flags: exit $?: $(tail -3 "$work/out")"
    cmp "$work/saved/model.safetensors" "$work/again/model.safetensors" || fail "$ranks $flags: other weights"
    rm -rf "$work/again"
done <<'END'
1
4 --ep 4 --zero 3
4 --tp 2 --ep 2 --zero 1
END

"$toise" train --model mixtral-8x7b --layers 1 --seq 4096 --gbs 16 --mbs 1 --dry-run --world 16 --ranks-per-node 4 --tp 2 --ep 4 --json \
    >"$work/plan" || fail "dry run: exit $?"
python3 - "$work/plan" <<'END' || fail 'the plan'
import json, sys
plan = json.load(open(sys.argv[1]))
assert plan["layout"]["ep"] == 4 and plan["layout"]["dp"] == 8 and plan["group_nodes"] == {"tp": 1, "dp": 4, "ep": 2}, plan["group_nodes"]
assert plan["ranks"][5] == {"rank": 5, "node": 1, "tp": 1, "dp": 2, "ep": 2}, plan["ranks"][5]
sent = {(o["group"], o["name"]): (o["count"], o["bytes"]) for o in plan["ledger"]["ops"] if "group" in o}
rows = 4096 * 2 # of two micro-batches: forward and backward, each way
assert sent["ep", "rows to experts"] == (4, rows * 4096 * 4) and sent["ep", "rows from experts"] == (4, rows * 4096 * 4), sent
assert sent["ep", "numbers of rows"] == (2, 32) and sent["ep", "rows' weights"] == (4, rows * 4), sent
# two experts a rank, in their columns' half, which two replicas sum
assert sum(n * b for (g, _), (n, b) in sent.items() if g == "edp") == 4 * 2 * 3 * 4096 * 14336 / 2, sent
END
run 0 train --workload mixtral-slice --dry-run
says '^experts +a token passes 2 of 2, and 656,429,056 parameters; route measured \(a slice: 2 of 8 experts\)$'
run 0 train --model tiny-mixtral --experts 4 --dry-run --route skew=1.5
says 'route skew=1.5 \(a slice: 4 of 8 experts\)$'

refused '--ep 3 does not divide the 8 experts of tiny-mixtral; take 2' \
    "$toise" train --model tiny-mixtral --dry-run --world 3 --ep 3 --seq 64
refused '--ep 4 does not divide the 2 data parallel ranks, which share out the experts; take 2' \
    "$toise" train --model tiny-mixtral --dry-run --world 4 --tp 2 --ep 4 --seq 64
refused '--ep 2 shares out experts, and tiny-gpt2 is dense; leave out --ep' "$toise" train --model tiny-gpt2 --dry-run --world 2 --ep 2
refused '--route is of experts, and tiny-gpt2 is dense; leave it out' "$toise" train --model tiny-gpt2 --route balanced
refused '--route skew=5: an expert of tiny-mixtral gets 1 to 4 times the mean' "$toise" train --model tiny-mixtral --route skew=5
for route in skew=0.5 skew= skew=x skew=2x skew=nan even; do
    refused "--route \"$route\": give measured, balanced, or skew=X" "$toise" train --model tiny-mixtral --route "$route"
done
refused '--experts 1: tiny-mixtral has 8 experts, and a token passes 2; take 2 to 8 of them' \
    "$toise" train --model tiny-mixtral --experts 1
refused '--experts and --init cannot be combined' "$toise" train --model tiny-mixtral --experts 4 --init "$work/saved"
refused '--experts 2: tiny-gpt2 is dense; leave it out' "$toise" train --model tiny-gpt2 --experts 2
exit $bad
