#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 60
# A new accelerator and a new machine need two catalogue files and no code; a new device class needs a third file.
# Errors in them are reported with file, field and the known values.
. "$(dirname "$0")/../prelude.sh"
mkdir "$work/build" "$work/harness"
cp "$toise" "$work/build/"
cp -r harness/catalog "$work/harness/"
toise=$work/build/toise
catalog=$work/harness/catalog
command=(project --model llama-2-7b --accelerators 8)
lacks() { ! grep -qE -- "$1" "$work/out" || fail "the page has: $1"; }
step() { sed -n 's/^step  *\([0-9.]*\) s.*/\1/p' "$work/out"; }

# accelerator FIELDS: the made-up one, with more fields.
accelerator() {
    cat >"$catalog/accelerators/x900.json" <<END
{
  "schema": "accelerator/1", "name": "x900", "title": "X900", "vendor": "X", "kind": "gpu",
  "peak_flop_per_s": {"bf16": {"value": 1500e12, "status": "recalled"}, "fp32": {"value": 80e12, "status": "recalled"}},
  "memory_bytes": {"value": 192e9, "status": "recalled"},
  "memory_bytes_per_s": {"value": 6e12, "status": "recalled"},
  $1
  "scale_up": {"bytes_per_s": {"value": 450e9, "status": "recalled"}}
}
END
}
# machine FILE FIELD: the made-up one, 4 nodes of 8, with one more field in its nodes.
machine() {
    local name
    name=$(basename "$1" .json)
    cat >"$1" <<END
{
  "schema": "machine/1", "name": "$name", "title": "A machine", "hypothetical": true, "country": "FR",
  "nodes": {"value": 4, "status": "recalled"},
  "node": {
    "accelerator": "x900", "accelerators": {"value": 8, "status": "recalled"}, $2
    "topology": {"value": "nvswitch", "status": "recalled"},
    "rails": {"value": 8, "status": "recalled"}, "rail_bytes_per_s": {"value": 50e9, "status": "recalled"}
  },
  "network": {"technology": "InfiniBand NDR", "topology": {"value": "fat-tree", "status": "recalled"}}
}
END
}
class() { echo "\"class\": {\"value\": \"$1\", \"status\": \"assumed\", \"how\": \"a guess\"},"; }

accelerator ''
machine "$catalog/machines/xanadu.json" ''
touched=$({ diff -rq harness/catalog "$catalog" || true; } | wc -l)
[ "$touched" = 2 ] || fail "$touched files touched, not two"
run 0 --machine xanadu --search --explain
says 'layouts priced'
lacks '^accelerator.class'
none=$(step)

# An accelerator inherits its class's fitted parameters; they are listed with their source.
accelerator "$(class hopper)"
run 0 --machine xanadu --search --explain
says '^accelerator.class +hopper +assumed +a guess'
hopper=$(step)
[ "$hopper" != "$none" ] || fail 'a class changes nothing'
accelerator ''
machine "$work/own.json" "$(class hopper)"
run 0 --machine "$work/own.json" --search --explain
says '^node.class +hopper +assumed +a guess'
[ "$(step)" = "$hopper" ] || fail "named by a machine's own file a class comes to $(step) s, not $hopper"
run 0 --machine xanadu --search --set accelerator.class=hopper
[ "$(step)" = "$hopper" ] || fail "set, a class comes to $(step) s, not $hopper"

# No run of it was fitted, so its class alone does not make it interpolated. A sibling gives it the class.
accelerator "$(class hopper)"
sed -i '/"hypothetical"/s/"hypothetical": true/"year": {"value": 2030, "status": "recalled"}/' "$catalog/machines/xanadu.json"
run 0 --machine xanadu
says '^label +extrapolated: no run on its accelerator was fitted: priced as its class'
cat >"$catalog/accelerators/x900.json" <<END
{"schema": "accelerator/1", "name": "x900", "title": "X900", "like": "h100-sxm5-80gb",
 "memory_bytes": {"value": 192e9, "status": "recalled"}}
END
run 0 --machine xanadu --explain
says '^accelerator.class +hopper +assumed +of the accelerator that it is like'
says '^label +extrapolated: no run on its accelerator was fitted: priced as its class'

# A new class keeps its priors until runs are fitted, even with parameters that are older than the class.
sed -i 's/^    "other": {/    "xclass": {"title": "X", "matmul_share": {"value": 0.5, "spread": 0.2, "status": "recalled"}},\n&/' "$catalog/classes.json"
accelerator "$(class xclass)"
run 0 --machine xanadu
says '^label +extrapolated: no run on its accelerator was fitted: priced as its class'
own=$(step)
sed -i '/"xclass"/s/0\.5/0.25/' "$catalog/classes.json"
run 0 --machine xanadu
awk "BEGIN { exit !($(step) > 1.3 * $own) }" || fail "at half its share of peak a step takes $(step) s, not much more than $own"

# Tables of its runs work too, by the name that they use.
accelerator "$(class xclass) \"runs\": {\"names\": [\"X900\"], \"network\": \"NDR 400 Gb/s x8\"},"
cat >"$work/runs.csv" <<END
id,accelerator,n_accelerators,layers,hidden,heads,seq_len,global_batch,micro_batch,dp,iteration_s
mine,X900,64,24,2048,16,1024,64,1,64,0.3
END
call "$toise" validate "$work/runs.csv"
[ "$code" = 0 ] || fail "a run on it: exit $code: $(tail -n 3 "$work/out" "$work/err")"
says '^mine +1 +[0-9.]+ +0\.3 '

accelerator "$(class hoper)"
machine "$work/own.json" "$(class hoper)"
cat >"$work/cases" <<END
accelerators/x900.json: field "class" is "hoper"; known: ampere, volta, hopper, blackwell, cdna3, cdna4, xclass, other | --machine xanadu
--set accelerator.class=hoper: unknown value; known: ampere, volta | --machine eos --set accelerator.class=hoper
END
refused_lines "$work/cases"
accelerator ''
echo "own.json: field \"node.class\" is \"hoper\"; known: ampere, volta | --machine $work/own.json" >"$work/cases"
refused_lines "$work/cases"

# classes.json itself.
cp harness/catalog/classes.json "$work/classes.json"
damage() { # damage WORDS SED
    sed "$2" "$work/classes.json" >"$catalog/classes.json"
    echo "$1 | --machine eos" >"$work/cases"
    refused_lines "$work/cases"
}
damage 'classes.json: field "volta" has the unknown key "matmul_shares"' '/"volta"/,/matmul_share/s/matmul_share/matmul_shares/'
damage 'classes.json: field "ampere.matmul_share" is 87, not within' 's/0\.87/87/'
damage 'classes.json: field "hopper.flash_share": "spread" must be a number' '/"hopper"/,/flash_share/s/"spread": 0.2, //'
damage 'classes.json: field "volta.flash_share": "class" must name an earlier class' 's/{"class": "ampere", "status": "assumed", "how": "hard/{"class": "hopper", "status": "assumed", "how": "hard/'
damage 'classes.json: field "blackwell.flash_share" is 800, not within' 's/"times": 0.8/"times": 800/'
damage 'classes.json: class "other" must have' 's/"other"/"others"/'
damage 'classes.json: field "ampere.matmul_share": source "mleng" is not among' 's/"mleng":/"mlengs":/'
exit $bad
