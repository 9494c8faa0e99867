#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 60
# toise programme: every machine and model of the programme has a row, BLOOM's hours are within a tenth of the published
# ones, and unknown values are blank. Also overrides and refusals.
. "$(dirname "$0")/../prelude.sh"

command=(programme)

run 0 france-2023 --out "$work/records.jsonl"
for machine in jean-zay-a100 jean-zay-h100 alice-recoque cluster mistral-bruyeres-2026; do
    for model in bloom-176b mistral-7b mixtral-8x7b; do says "^$machine +[19] +$model +[0-9]+ "; done
done
says '^cluster +mistral-7b +announced: the machine is hypothetical$'
says '^jean-zay-h100 +mixtral-8x7b +interpolated$'
says 'MWh: accelerators -, nodes -, facility -; EUR -$'
says '^ai-clusters +360.0 M EUR +2024-05 +published'
hours=$(sed -n 's/^jean-zay-a100 *bloom-176b *interpolated; \([0-9]*\) accelerator-hours, published 1082990$/\1/p' "$work/out")
if [ "${hours:-0}" -lt 970000 ] || [ "$hours" -gt 1190000 ]; then fail "BLOOM takes $hours accelerator-hours"; fi
[ "$(wc -l <"$work/records.jsonl")" = 1 ] || fail 'not one record'
[ "$(grep -o '"trainings_a_year"' "$work/records.jsonl" | wc -l)" -ge 8 ] || fail 'the record lacks rows'

# The user may change the assumption about clusters: 64 nodes each hold BLOOM.
run 0 france-2023 --set nodes=64 --eur-per-mwh 100 --json
grep -q '"machine":"cluster","model":"bloom-176b","count":9.0,"accelerators":384.0' "$work/out" || fail '--set has no effect'
says '"eur":\{'
says '"eur_per_mwh":\{"value":100.0,"low":100.0,"high":100.0\}'

mkdir "$work/campaigns"
file=harness/catalog/campaigns/france-2023.json
sed 's/"machine": "jean-zay-h100",$/"machine": "jean-zay-h10",/' $file >"$work/france-2023.json"
run 2 "$work/france-2023.json"
grep -q 'unknown "jean-zay-h10"' "$work/err" || fail "a wrong machine: $(cat "$work/err")"
sed 's/"count": {"value": 9,/"count": {"value": 0,/' $file >"$work/france-2023.json"
run 2 "$work/france-2023.json"
grep -q 'field "systems.3.count" is 0' "$work/err" || fail "a count of 0: $(cat "$work/err")"
sed 's/"schedule": "1f1b"/"schedule": "2f2b"/' $file >"$work/france-2023.json"
run 2 "$work/france-2023.json"
grep -q 'training.0.layout.schedule" is "2f2b"' "$work/err" || fail "a wrong schedule: $(cat "$work/err")"
spoilt() { # spoilt SED WORDS: the file so changed
    sed "$1" $file >"$work/france-2023.json"
    run 2 "$work/france-2023.json"
    if [ "$(wc -l <"$work/err")" != 1 ] || ! grep -qF -- "$2" "$work/err"; then fail "$1: $(cat "$work/err")"; fi
    [ ! -s "$work/out" ] || fail "$1: something on stdout"
}
spoilt 's/"tp": 4/"tp": "four"/' 'training.0.layout.tp" must be a whole number from 1 to 4096'
spoilt 's/"micro_batch": 2/"micro_batch": 65538/' 'training.0.layout.micro_batch" must be a whole number'
spoilt 's/"zero": 1/"zero": 4/' 'training.0.layout.zero" must be a whole number from 0 to 3'
spoilt 's/"blocking": true/"blocking": "yes"/' 'training.0.layout.blocking" must be true or false'
spoilt 's/"recompute": "full"/"recompute": 1/' 'training.0.layout.recompute" is not text'
spoilt 's/"slots": true/"slot": true/' 'training.0.layout" has the unknown key "slot"'
spoilt 's/"role": "the upgrade"/"roles": "the upgrade"/' 'systems.1" has the unknown key "roles"'
spoilt 's/"systems"/"sistems"/' 'top level" has the unknown key "sistems"'
spoilt 's/"eur": 360e6/"eur": -5/' 'budgets.2.amounts.1.eur" must be a number of euros'
sed 's/"ramp_batch": {"value": 192/"ramp_batch": {"value": 4096/' \
    $file >"$work/france-2023.json"
run 0 "$work/france-2023.json"
says '^jean-zay-a100 +bloom-176b +blank: ramp_batch 4096 is above the global batch of 2048; give a smaller one$'
run 2 france-2023 --set foo=1
run 2 nowhere
run 2 france-2023 --model bloom-176b
run 2
grep -q '^toise: NAME is missing' "$work/err" || fail "no name: $(cat "$work/err")"
run 2 france-2023 twice
grep -q 'unexpected argument "twice"' "$work/err" || fail "two names: $(cat "$work/err")"
cp harness/catalog/campaigns/france-2023.json "$work/own.json"
run 2 --out "$work/own.json" "$work/own.json"
cmp -s harness/catalog/campaigns/france-2023.json "$work/own.json" || fail 'what was read was written to'
exit $bad
