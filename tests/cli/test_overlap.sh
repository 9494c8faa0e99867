#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 240
# toise train --overlap: the same losses and norms to the last bit whether gradients are sent during backward, after it, or
# as auto finds faster; what auto says where it cannot try both; a resumed run keeps what was chosen.
. "$(dirname "$0")/../prelude.sh"
. scripts/mpi.sh
no_grace
export OMP_NUM_THREADS=1
command -v "${MPIRUN:-mpirun}" >/dev/null || { echo 'SKIP: overlap: mpirun is not installed' && exit 77; }
python3 -c '' 2>/dev/null || { echo 'SKIP: overlap: python3 is not installed' && exit 77; }
mpi_command

# on RANKS ARGUMENTS...: toise train of tiny-gpt2, right or inconclusive
on() {
    call "${MPI_COMMAND[@]}" "${MPI_UNBOUND[@]}" -n "$1" "$toise" train --model tiny-gpt2 --seq 64 --gbs 12 --threads 1 \
        "${@:2}"
    case $code in 0 | 3) ;; *) fail "$*: exit $code: $(tail -n 3 "$work/err")" ;; esac
}
# is FILE EXPRESSION: python's value of it is true; r is the last record of FILE, a are all
is() {
    python3 -c 'import json, sys
a = [json.loads(line) for line in open(sys.argv[1])]
r = a[-1]
sys.exit(not eval(sys.argv[2]))' "$@" || fail "$1: not so: $2"
}

for ranks in 1 2 3 4; do
    out=$work/$ranks.jsonl
    for overlap in on off auto; do on $ranks --steps 4 --overlap $overlap --no-gate --out "$out"; done
    for key in loss grad_norm; do
        is "$out" "a[0]['result']['$key'] == a[1]['result']['$key'] == r['result']['$key'][:6]"
    done
    valid "$out"
done
is "$work/1.jsonl" "all(not 'overlap' in r['result'] and not 'overlap' in r['layout'] for r in a)"
is "$work/2.jsonl" "[r['result']['overlap']['chosen'] for r in a[:2]] == ['on', 'off']"
is "$work/2.jsonl" "[r['layout'].get('overlap') for r in a] == ['on', 'off', None]"
# The choice follows from the samples by the rule.
cat >"$work/rule.py" <<'END'
import json, statistics, sys
r = json.loads(open(sys.argv[1]).readlines()[-1])
o, step_s = r['result']['overlap'], r['samples']['warmup']['step_s']
tried = step_s[o['first']:o['first'] + 2 * o['pairs']]
kind = [((i + 1) // 2) % 2 for i in range(len(tried))]
with_s, without_s = (statistics.median(s for s, k in zip(tried, kind) if k == want) for want in (1, 0))
assert o['why'] == 'tried' and o['pairs'] >= 3 and len(tried) == 2 * o['pairs'], o
assert o['first'] + len(tried) == len(step_s) == r['result']['warmup']['steps'], 'they end the warm-up'
assert abs(with_s / o['with_s'] - 1) < 1e-9 and abs(without_s / o['without_s'] - 1) < 1e-9, (o, with_s, without_s)
assert o['chosen'] == ('off' if without_s < 0.99 * with_s else 'on'), o
END
by_the_rule() { python3 "$work/rule.py" "$1" 2>"$work/rule" || fail "$1: $(tail -n 1 "$work/rule")"; }
for ranks in 2 3 4; do by_the_rule "$work/$ranks.jsonl"; done
grep -qE '^overlap     (on|off): steps are [0-9.]+% (slower|faster) without, .* \(12 pairs\)$' "$work/out" || fail 'the page does not say it'

# A warm-up that is given is neither longer nor shorter for it.
for warmup in 0 6 7 9; do
    on 2 --steps 2 --warmup $warmup --no-gate --out "$work/warm.jsonl"
    is "$work/warm.jsonl" "r['result']['warmup']['steps'] == $warmup and len(r['result']['loss']) == $warmup + 2"
done
is "$work/warm.jsonl" "[r['result']['overlap']['pairs'] for r in a] == [0, 0, 3, 4]"
is "$work/warm.jsonl" "[r['result']['overlap']['why'] for r in a] == 2 * ['short warm-up'] + 2 * ['tried']"
is "$work/warm.jsonl" "a[0]['result']['overlap']['chosen'] == 'on'"
by_the_rule "$work/warm.jsonl"
valid "$work/warm.jsonl"

on 2 --steps 2 --warmup 0 --no-gate
says '^overlap     on: the warm-up is too short to try both: give --warmup 7 or more$'
on 2 --steps 2 --overlap off --no-gate
says '^overlap     off: as asked$'
refused "--overlap" "$toise" train --model tiny-gpt2 --overlap maybe

# What was chosen is in the journal, so a resumed run goes on alike, and its record can be recovered.
on 2 --steps 4 --no-gate --journal-dir "$work"
journal=$(find "$work" -maxdepth 1 -name '*.journal')
[ "$(grep -c '^{"overlap":' "$journal")" = 1 ] || fail "the journal has no choice: $(cut -c1-60 "$journal")"
chosen=$(sed -n 's/^{"overlap":{"chosen":"\([a-z]*\)".*/\1/p' "$journal")
cp "$journal" "$work/dead"
call "$toise" train --recover "$work/dead" --out "$work/recovered.jsonl"
is "$work/recovered.jsonl" "r['result']['overlap']['chosen'] == '$chosen' and r['result']['overlap']['pairs'] == 12"
call "${MPI_COMMAND[@]}" "${MPI_UNBOUND[@]}" -n 2 "$toise" train --resume "$journal" --steps 6 --out "$work/resumed.jsonl"
[ "$code" = 3 ] || fail "--resume: exit $code: $(tail -n 3 "$work/err")"
is "$work/resumed.jsonl" "r['result']['overlap'] == {'chosen': '$chosen', 'why': 'resumed', 'pairs': 0}"
is "$work/resumed.jsonl" "r['result']['warmup']['steps'] == 2 and len(r['samples']['step_s']) == 6"
exit $bad
