#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# toise train --recompute: the same losses to the last bit and less memory, of which the plan and the process agree; HFU
# above MFU by what the ledger says is computed again; and the profile counts those calls.
. "$(dirname "$0")/../prelude.sh"
command=(train --model gpt2-124m --layers 4 --seq 256 --gbs 2 --mbs 2 --steps 2 --warmup 0 --no-gate --energy off --profile)

for mode in none selective full; do
    run 3 "${command[@]:1}" --recompute $mode --out "$work/of-$mode.jsonl"
    [ $mode = none ] || says "^recompute   $mode\$"
done
[ -s "$work/of-full.jsonl" ] || exit 1
valid "$work"/of-*.jsonl
python3 - "$work" <<'END' || bad=1
import json, sys
r = {mode: json.load(open(f"{sys.argv[1]}/of-{mode}.jsonl")) for mode in ("none", "selective", "full")}
problems = []
def expect(what, truth):
    if not truth: problems.append(what)
calls = {mode: {row["name"]: row["calls"] for row in x["result"]["profile"]["rows"]} for mode, x in r.items()}
for mode, x in r.items():
    expect(f"{mode}: losses", x["result"]["loss"] == r["none"]["result"]["loss"])
    expect(f"{mode}: norms", x["result"]["grad_norm"] == r["none"]["result"]["grad_norm"])
    again = x["ledger"].get("recomputed_flop", 0)
    ratio = x["result"]["hfu"] / x["result"]["mfu"]
    expect(f"{mode}: HFU", abs(ratio - 1 - again / x["ledger"]["model_flop"]) < 1e-9)
    over = x["result"]["peak_memory_bytes"] / x["result"]["predicted_memory_bytes"] - 1
    expect(f"{mode}: {over:+.1%} of what was planned", abs(over) < 0.05)
memory = [r[mode]["ledger"]["memory"]["activations"] for mode in ("none", "selective", "full")]
expect(f"activations {memory}", memory[0] > memory[1] > memory[2])
expect("layout of none", "recompute" not in r["none"]["layout"])
expect("attention again", [calls[m]["attention forward"] for m in calls] == [4, 7, 7]) # not in the last layer
expect("matmuls again", [calls[m]["qkv forward"] for m in calls] == [4, 4, 7])
expect("the last matmul is not", [calls[m]["ffn down forward"] for m in calls] == [4, 4, 4])
expect("the activation function", "GELU forward" not in calls["none"] and calls["selective"]["GELU forward"] == 3)
if problems: print("\n".join(problems))
sys.exit(bool(problems))
END
refused '--recompute: unknown "some"; known: none, selective, full' "$toise" train --recompute some
exit $bad
