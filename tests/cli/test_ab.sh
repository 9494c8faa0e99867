#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# toise ab on commands whose figures are made: its verdicts and exit codes, what it refuses, and what it keeps of a
# comparison that breaks off.
. "$(dirname "$0")/../prelude.sh"
command=(ab)

# say NAME BASE SPREAD: each call prints another number near BASE, the same in every test
cat >"$work/say" <<'EOF'
n=$(cat "$0.$1" 2>/dev/null || echo 0)
echo $((n + 1)) >"$0.$1"
echo "figure of run $n:"
awk -v n="$n" -v base="$2" -v spread="$3" -v name="$1" \
    'BEGIN { srand(n * 17 + length(name)); print base * (1 + spread * (rand() - 0.5)) }'
EOF
made() { # made NAME BASE SPREAD
    echo "sh $work/say $1 $2 $3"
}
printed=(--metric printed --better higher)
restart() { rm -f "$work"/say.*; }

restart
run 0 "$(made a 100 0.01)" "$(made bb 105 0.01)" "${printed[@]}" --out "$work/ab.jsonl"
says '^toise ab   PASSED   faster$'
says '^verdict  .*B is faster than A by [45]\.'
restart
run 1 "$(made a 100 0.01)" "$(made bb 95 0.01)" "${printed[@]}"
says '^toise ab   PASSED   slower$'
restart
run 0 "$(made a 100 0.01)" "$(made bb 95 0.01)" --metric printed --better lower
restart
run 0 "$(made a 100 0.01)" "$(made bb 100.2 0.01)" "${printed[@]}"
says '^toise ab   PASSED   equivalent$'
says 'differ by less than 3%'
restart
run 3 "$(made a 100 0.5)" "$(made bb 101 0.5)" "${printed[@]}" --blocks 6 --min-blocks 5 --warmup 0
says '^toise ab   INCONCLUSIVE   inconclusive$'
says 'about [0-9]* blocks show'
run 3 'sleep 0.4; echo 1' 'sleep 0.4; echo 1' "${printed[@]}" --budget 1
says '^ended  .*--budget is spent'

# The record has every run, in order, and the ratio follows from it.
python3 - "$work/ab.jsonl" <<'EOF' || bad=1
import json, math, sys
r = json.loads(open(sys.argv[1]).read())
s, res, conf = r["samples"], r["result"], r["config"]
w, n = conf["warmup"], res["blocks"]
assert len(s["a"]["value"]) == len(s["b"]["value"]) == len(s["order"]) == n + w == len(s["b"]["wall_s"])
logs = [math.log(b / a) for a, b in zip(s["a"]["value"], s["b"]["value"])][w:]
assert abs(math.exp(sum(logs) / n) - res["ratio"]) < 1e-9, (res, logs)
assert res["low"] < res["ratio"] < res["high"] and res["low"] > 1 and res["verdict"] == "faster"
assert set(s["order"]) == {"AB", "BA"} and r["kind"] == "ab" and conf["looks"][0] == 5
EOF

# Records: of one kind they give the rate, and a key may be named. The order of both is drawn alike for a seed.
cat >"$work/record" <<'EOF'
echo 'a page for people'
for x in $1; do
    echo '{"schema":"toise/1","kind":"train","status":"INCONCLUSIVE","result":{"tokens_per_s":'"$x"',"step_s":'"$x"'}}'
done
exit 3
EOF
run 0 "sh $work/record '10 40'" "sh $work/record '20 20'" --json --delta 1% --warmup 0
grep -q '"metric":"result.tokens_per_s","better":"higher"' "$work/out" || fail 'the rate was not chosen'
grep -q '"ratio":1.0,' "$work/out" || fail "not the geometric mean: $(cat "$work/out")"
run 1 "sh $work/record 10" "sh $work/record 20" --metric result.step_s --json
grep -q '"ratio":0.5,' "$work/out" || fail 'of times, lower is not better'
run 0 "sh $work/record 10" true --json --delta 100%
grep -q '"metric":"wall time"' "$work/out" || fail 'one command without a record: not the time'

# What breaks off is named; its whole blocks are in the record.
run 4 true 'exit 7' --out "$work/none.jsonl"
grep -q 'B: "exit 7" ended with exit code 7' "$work/err" || fail "$(cat "$work/err")"
run 4 true 'echo so it is >&2; kill -9 $$'
grep -q 'exit code 137: so it is' "$work/err" || fail "$(cat "$work/err")"
run 4 true 'sleep 100' --timeout 0.3
grep -q 'ran longer than 0.3 s: raise --timeout' "$work/err" || fail "$(cat "$work/err")"
run 2 "sh $work/record 10" "sh $work/record 10" --metric result.none --better lower
grep -q 'no record with a number above 0 at result.none' "$work/err" || fail "$(cat "$work/err")"
run 2 "sh $work/record 10" "sh $work/record '10 10'"
grep -q 'printed 2 records .* where 1 came before' "$work/err" || fail "$(cat "$work/err")"
run 2 true true "${printed[@]}"
grep -q 'printed no number above 0' "$work/err" || fail "$(cat "$work/err")"
run 4 true false
grep -q 'B: "false" ended with exit code 1$' "$work/err" || fail "$(cat "$work/err")"
run 4 true "echo '{\"schema\":\"toise/1\",\"kind\":\"train\",\"status\":\"FAILED\",\"why\":\"wrong\"}'"
grep -q 'a record that FAILED, so it has no rate: wrong' "$work/err" || fail "$(cat "$work/err")"
restart
run 4 "$(made a 100 0.1)" "[ ! -e $work/say.a ] || [ \$(cat $work/say.a) -lt 4 ] && echo 100 || exit 9" \
    "${printed[@]}" --out "$work/cut.jsonl"
grep -q '"status":"INCONCLUSIVE","why":"B: .*exit code 9' "$work/cut.jsonl" || fail 'nothing kept of what broke off'
python3 -c 'import json, sys
s = json.loads(open(sys.argv[1]).read())["samples"]
assert len({len(s["order"])} | {len(s[x][k]) for x in "ab" for k in ("value", "wall_s", "start_s", "marks")}) == 1
' "$work/cut.jsonl" || fail 'columns of different lengths'

# An interrupt ends the command that runs, and keeps the rest.
"$toise" ab 'echo 1' 'echo 1; sleep 0.2' "${printed[@]}" --blocks 900 --min-blocks 900 --out "$work/int.jsonl" \
    >"$work/out" 2>"$work/err" </dev/null &
pid=$!
for _ in $(seq 100); do
    [ "$(wc -l <"$work/out")" -lt 3 ] || break
    sleep 0.1
done
code=0
kill -TERM $pid
wait $pid || code=$?
[ $code = 4 ] || fail "interrupted: exit $code"
grep -q '"why":"stopped by Terminated' "$work/int.jsonl" || fail "interrupted: $(cat "$work/err")"

cat >"$work/lines" <<'EOF'
needs two commands |
needs two commands | true
unexpected argument "true" | true true true
--min-blocks 9 is more than --blocks 8 | true true --blocks 8 --min-blocks 9
--delta: 0 is out of range | true true --delta 0
does not say which values are better | true true --metric printed
does not say which values are better | true true --metric result.loss
--better needs --metric | true true --better lower
EOF
refused_lines "$work/lines"

exit $bad
