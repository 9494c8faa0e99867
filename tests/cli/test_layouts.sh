#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 240
# Layouts of toise train as a user meets them: weights saved in one are read in every other and written again to the last
# bit; memory and messages are in the record; what does not fit is refused with what would.
. "$(dirname "$0")/../prelude.sh"
. scripts/mpi.sh
no_grace

layout() { # layout RANKS FLAGS...: its exit code; 3 is right too, as time decides it
    local ranks=$1 code=0
    shift
    mpi_launch "$ranks" "$toise" train --seq 64 --gbs 4 --warmup 0 --steps 2 --threads 1 --energy off "$@" \
        >"$work/out" 2>&1 || code=$?
    [ $code = 3 ] || return $code
}

for family in gpt2 bloom llama mistral; do
    layout 2 --model "tiny-$family" --tp 2 --sp --save "$work/$family" || fail "$family: exit $?: $(tail -3 "$work/out")"
    wide='4 --tp 4'
    [ $family != bloom ] || wide='3 --tp 3 --zero 2' # it has six heads
    for how in '1' '2 --zero 1' '2 --zero 2 --precision bf16' '2 --zero 3' '2 --tp 2' '4 --tp 2 --sp --zero 1' "$wide" \
        '2 --pp 2' '2 --pp 2 --schedule zb' '4 --pp 2 --tp 2 --sp' '4 --pp 2 --tp 2 --zero 1 --schedule zero-bubble' '4 --pp 2 --zero 3 --schedule gpipe' '2 --cp 2 --precision bf16' '4 --cp 2 --zero 2'; do
        read -r ranks flags <<<"$how"
        # shellcheck disable=SC2086  # flags are several words
        layout "$ranks" --init "$work/$family" --lr 0 --save "$work/again" $flags --out "$work/records.jsonl" ||
            fail "$family, $how: exit $?: $(tail -3 "$work/out")"
        cmp "$work/$family/model.safetensors" "$work/again/model.safetensors" || fail "$family, $how: other weights"
        rm -rf "$work/again"
    done
done
valid "$work/records.jsonl"
python3 - "$work/records.jsonl" <<'END' || bad=1
import json, math, sys
problems = []
for r in map(json.loads, open(sys.argv[1])):
    layout, result = r["layout"], r["result"]
    what = f"{r['config']['family']} {layout}"
    over = result["peak_memory_bytes"] / result["predicted_memory_bytes"] - 1
    if abs(over) > 0.05: problems.append(f"{what}: {over:+.1%} of the planned memory")
    ranks = {a: layout.get(a, 1) for a in ("tp", "cp", "dp", "pp")}
    if layout["world"] != math.prod(ranks.values()): problems.append(f"{what}: the world")
    ranks["dp"] *= ranks["cp"] # they sum gradients alike
    axes = {a for a in ranks if ranks[a] > 1}
    said = result.get("communication", {})
    if set(said) != axes: problems.append(f"{what}: communication of {sorted(said)}")
    for axis, x in said.items():
        if not 0 < x["exposed_s"] <= result["mean_step_s"]: problems.append(f"{what}: {axis} exposed {x['exposed_s']} s")
        if (x["total_s"] is None) != (axis == "pp"): problems.append(f"{what}: {axis} total {x['total_s']}")
        if axis != "pp" and not 0 < x["total_s"] <= result["mean_step_s"]: problems.append(f"{what}: {axis} {x['total_s']} s")
    if ("pp" in layout) != ("bubble" in result): problems.append(f"{what}: the bubble")
    if "pp" in layout and not 0 <= result["bubble"] < 1: problems.append(f"{what}: a bubble of {result['bubble']}")
    if r["result"]["mfu"] > 1: problems.append(f"{what}: MFU {result['mfu']}")
if problems: print("\n".join(problems))
sys.exit(bool(problems))
END

mpi_launch 4 "$toise" train --model tiny-llama --seq 64 --dry-run --tp 4 --sp --zero 1 --json >"$work/plan" 2>"$work/out" ||
    fail "dry run: exit $?"
python3 - "$work/plan" <<'END' || fail 'the plan'
import json, sys
plan = json.load(open(sys.argv[1]))
assert plan["layout"]["tp"] == 4 and plan["layout"]["sp"] and plan["layout"]["zero"] == 1 and plan["layout"]["dp"] == 1
sent = {(o["group"], o["name"]): o["count"] for o in plan["ledger"]["ops"] if "group" in o}
# two layers: two sums a layer in each direction; shares are gathered before and after them, for the head and the embedding
assert sent["tp", "partial sum"] == 8 and sent["tp", "tokens' shares"] == 10 and sent["tp", "norm gradients"] == 5, sent
assert sent["kv", "shared heads' gradient"] == 4, sent # keys and values of two layers; two heads on four ranks
END

"$toise" train --model gpt2-124m --dry-run --world 8 --pp 4 --vp 3 --gbs 16 --mbs 1 --json >"$work/plan" || fail "dry run: exit $?"
python3 - "$work/plan" <<'END' || fail 'the plan of stages'
import json, sys
plan = json.load(open(sys.argv[1]))
assert plan["layout"]["stage_layers"] == [1] * 12 and plan["layout"]["dp"] == 2, plan["layout"]
sent = {(o["group"], o["name"]): o["count"] for o in plan["ledger"]["ops"] if "group" in o}
# the first stage: 8 micro-batches, three chunks go on, and of two the gradient goes back to the last stage
assert sent["pp", "activations"] == 24 and sent["pp", "activations' gradient"] == 16, sent
assert sent["ends", "tied token table"] == 1 and sent["ends", "tied token table's gradient"] == 1, sent
END
"$toise" train --model gpt2-124m --dry-run --world 8 --pp 4 --schedule zb --gbs 16 --mbs 1 --json >"$work/late" || fail "dry run: exit $?"
"$toise" train --model gpt2-124m --dry-run --world 8 --pp 4 --gbs 16 --mbs 1 --json >"$work/plan" || fail "dry run: exit $?"
python3 - "$work/plan" "$work/late" <<'END' || fail 'the plan of late weights'
import json, sys
usual, late = (json.load(open(path)) for path in sys.argv[1:])
assert usual["layout"].pop("schedule") == "1f1b" and late["layout"].pop("schedule") == "zero-bubble", late["layout"]
assert usual["layout"] == late["layout"]
ops = [[o for o in p["ledger"]["ops"] if o.get("group") != "dp"] for p in (usual, late)]
assert ops[0] == ops[1], ops # gradients of embeddings leave first, so buckets differ; their sum does not
assert usual["ledger"]["message_bytes_per_rank"] == late["ledger"]["message_bytes_per_rank"]
assert usual["ledger"]["memory_bytes_per_rank"] < late["ledger"]["memory_bytes_per_rank"]
END
"$toise" train --model tiny-mistral --dry-run --world 8 --cp 4 --seq 64 --gbs 4 --mbs 1 --recompute full --json >"$work/plan" ||
    fail "dry run: exit $?"
python3 - "$work/plan" <<'END' || fail 'the plan of a ring'
import json, sys
plan = json.load(open(sys.argv[1]))
assert plan["layout"]["cp"] == 4 and plan["layout"]["dp"] == 2, plan["layout"]
sent = {(o["group"], o["name"]): o["count"] for o in plan["ledger"]["ops"] if "group" in o}
# two micro-batches of two layers: keys go to three ranks in forward, in backward, and in the layer that is computed again
assert sent["cp", "keys and values"] == 2 * 3 * 5 and sent["cp", "their gradients"] == 2 * 4 * 2, sent
END
"$toise" train --model bloom-560m --dry-run --world 13 --pp 13 --stage-layers slots --gbs 13 --mbs 1 --json >"$work/plan" ||
    fail "slots: exit $?"
grep -q '"stage_layers": *\[1, *2, *2, *2, *2, *2, *2, *2, *2, *2, *2, *2, *1\]' "$work/plan" || fail 'slots: not 1, eleven times 2, 1'

# Which ranks are adjacent, and where they are.
"$toise" train --model tiny-llama --seq 64 --gbs 8 --dry-run --world 8 --ranks-per-node 4 --tp 2 --pp 2 --json >"$work/plan" ||
    fail "a map: exit $?"
python3 - "$work/plan" <<'END' || fail 'the map of ranks'
import json, sys
plan = json.load(open(sys.argv[1]))
assert plan["group_nodes"] == {"tp": 1, "dp": 1, "pp": 2} and "order" not in plan["layout"], plan["group_nodes"]
assert plan["ranks"][5] == {"rank": 5, "node": 1, "tp": 1, "dp": 0, "pp": 1}, plan["ranks"]
END
run 0 train --model tiny-llama --seq 64 --gbs 8 --dry-run --world 8 --ranks-per-node 4 --tp 2 --pp 2 --order pp-dp-tp
says '^ +5 +1 +1 +0 +1$'
says '^nodes of a group at most: tp 2 dp 1 pp 1$'
run 0 train --model tiny-llama --seq 64 --gbs 8 --dry-run --world 8 --tp 2
says '^ +7 +1 +3$'
run 0 train --workload weak-tiny --dry-run --world 8 --ranks-per-node 4
grep -q 'global batch' "$work/out" || fail 'no batch'
layout 4 --model tiny-llama --pp 2 --order pp-dp --out "$work/order.jsonl" || fail "--order: exit $?"
grep -q '"order": *"pp-dp"' "$work/order.jsonl" || fail 'a record without its order'
run 0 train --model tiny-llama --seq 64 --dry-run --world 4 --tp 2 --order tp-dp-pp --json
grep -q '"order"' "$work/out" && fail 'the usual order is listed'
run 0 train --model tiny-llama --seq 64 --dry-run --world 4 --ranks-per-node 2 --tp 2 --order dp-tp
grep -q '2 tensor parallel ranks that fit on one node are on 2' "$work/err" || fail "no warning: $(cat "$work/err")"
run 0 train --model tiny-llama --seq 64 --dry-run --world 8 --ranks-per-node 2 --cp 4
says '^nodes of a group at most: cp 2 dp 4$' # they sum gradients alike
refused '--mbs 3 does not divide the 8 sequences of each rank (--gbs 8 over 1 data parallel rank); take a divisor of 8' \
    "$toise" train --model tiny-gpt2 --dry-run --gbs 8 --mbs 3
refused '--seq 128 does not divide over --cp 65, whose ranks have two parts each; take a smaller --cp' \
    "$toise" train --model tiny-gpt2 --seq 128 --dry-run --world 65 --cp 65
refused '--ranks-per-node needs --world' "$toise" train --ranks-per-node 2
refused 'give each of tp, cp, dp and pp once, the innermost first' "$toise" train --model tiny-gpt2 --dry-run --world 4 --tp 2 --order tp-tp
refused 'lacks dp, which has 2 ranks' "$toise" train --model tiny-gpt2 --dry-run --world 4 --tp 2 --order tp

refused '--tp 3 does not divide the 1 rank; take --tp 1, or a multiple of 3 ranks' "$toise" train --model tiny-gpt2 --tp 3
refused '--tp 3 does not divide the 4 heads of tiny-gpt2; take 2' "$toise" train --model tiny-gpt2 --dry-run --world 3 --tp 3
refused '--sp splits tokens over tensor parallel ranks: it needs --tp of at least 2' "$toise" train --model tiny-gpt2 --sp
refused '--seq 63 does not divide over --tp 2, as --sp needs; take a multiple of 2' \
    "$toise" train --model tiny-gpt2 --seq 63 --dry-run --world 2 --tp 2 --sp
refused '--zero: 4 is out of range; take 0 to 3' "$toise" train --zero 4
refused '--cp 3 does not divide the 4 ranks; take --cp 2, or a multiple of 3 ranks' \
    "$toise" train --model tiny-gpt2 --dry-run --world 4 --cp 3
refused '--pp 4 does not divide the 2 ranks left by --tp 2 --cp 2; take --pp 2, or a multiple of 16 ranks' \
    "$toise" train --model tiny-gpt2 --dry-run --world 8 --tp 2 --cp 2 --pp 4
refused '--seq 62 does not divide over --cp 2, whose ranks have two parts each; take a multiple of 4' \
    "$toise" train --model tiny-gpt2 --seq 62 --dry-run --world 2 --cp 2
refused '--seq 40 does not divide over --cp 2, whose ranks have two parts each, and with --sp over --tp; take a multiple of 16' \
    "$toise" train --model bloom-560m --layers 1 --seq 40 --dry-run --world 16 --cp 2 --tp 8 --sp
refused '--pp 3 does not divide the 4 ranks; take --pp 2, or a multiple of 3 ranks' \
    "$toise" train --model tiny-gpt2 --dry-run --world 4 --pp 3
refused '--pp 4 with --vp 1 makes 4 stages of the 2 layers of tiny-gpt2; take at most 2 stages' \
    "$toise" train --model tiny-gpt2 --dry-run --world 4 --pp 4
refused '--stage-layers lists 3 stages, and --pp 2 with --vp 1 makes 2; list 2' \
    "$toise" train --model tiny-gpt2 --dry-run --world 2 --pp 2 --stage-layers 1,1,1
refused '--stage-layers adds up to 3 layers, and tiny-gpt2 has 2; list as many' \
    "$toise" train --model tiny-gpt2 --dry-run --world 2 --pp 2 --stage-layers 1,2
for list in '' 1,0 1,,1 '1,' -1,3 1.5,1 one; do
    "$toise" train --model tiny-gpt2 --dry-run --world 2 --pp 2 --stage-layers "$list" >"$work/out" 2>&1 && fail "list $list: accepted"
done
refused '--stage-layers is of pipeline stages: give --pp of at least 2' "$toise" train --model tiny-gpt2 --stage-layers 2
refused '--schedule gpipe runs one chunk on each stage: take --vp 1, or 1f1b' \
    "$toise" train --model gpt2-124m --dry-run --world 2 --pp 2 --vp 2 --schedule gpipe
refused '--schedule zero-bubble runs one chunk on each stage: take --vp 1, or 1f1b' \
    "$toise" train --model gpt2-124m --dry-run --world 2 --pp 2 --vp 2 --schedule zb
refused '--schedule zero-bubble keeps what weight gradients read, which --recompute full drops: take --recompute none, or 1f1b' \
    "$toise" train --model gpt2-124m --dry-run --world 2 --pp 2 --recompute full --schedule zb
refused '--vp, --schedule and --stage-layers are of pipeline stages: they need --pp of at least 2' \
    "$toise" train --model tiny-gpt2 --schedule zb
refused '--gbs 8 over 1 data parallel rank in micro-batches of --mbs 8 makes 1, and --vp needs a multiple of the 2 stages; take another --mbs, or a --gbs that is a multiple of 16' \
    "$toise" train --model gpt2-124m --dry-run --world 2 --pp 2 --vp 2 --gbs 8 --mbs 8
exit $bad
