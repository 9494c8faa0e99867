#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 300
# toise validate: the errors on the catalogue's runs are within what is claimed, with the parameters shipped and fitted
# anew without each run's source; the parameters shipped are what the fit makes; goals missed exit 1; own tables; what
# is refused, and that nothing is half-written.
set -euo pipefail
cd "$(dirname "$0")/../.."
toise=$(cd "${BUILD:-build}" && pwd)/toise
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
bad=0
. tests/cli/refused.sh
fail() { echo "$1"; bad=1; }
runs=harness/catalog/runs/published.csv shipped=harness/catalog/parameters.json

run() { # run CODE ARGUMENTS...: its output in $work/out and $work/err
    local want=$1 code=0
    shift
    timeout 250 "$toise" validate "$@" >"$work/out" 2>"$work/err" </dev/null || code=$?
    [ $code = "$want" ] || fail "validate $*: exit $code, not $want: $(tail -n 3 "$work/out" "$work/err")"
}
says() { grep -q -- "$1" "$work/out" || fail "the page lacks: $1"; }

# The catalogue's runs by its parameters.
run 0 --max-mean 10 --max-median 7 --max-unused 10 --min-coverage 85
says '1092 rows; 646 complete of tiers 1 and 2, of which 634 are used and 12 (1.9%) not'
says 'fitted on 634 of these runs, whose errors are in-sample, not on 0'
says '^kort-001 '
says '^cpu-001 .*line 1030: the accelerator'
says 'among our first three in 14 of 16 sweeps'
says '^PASSED'
[ "$(grep -c 'yes  \|NO  ' "$work/out")" = 634 ] || fail 'not every run has its line'
run 1 --max-mean 6 --summary
says '^FAILED: tier 1: mean error 6'
! grep -q '^kort-001 ' "$work/out" || fail '--summary has lines of single runs'
run 1 --summary --min-coverage 99
run 1 --summary --max-median 1
run 1 --summary --max-unused 1

# Fitted anew: what is shipped, and what is claimed for runs whose source was left out.
run 0 --fit --parameters "$work/fit.json" --out "$work/records.jsonl" --json --max-mean 15 --max-median 10 --min-coverage 85
[ "$(wc -l <"$work/out")" = 1 ] || fail '--json is not one line'
grep -q '"kind":"validate"' "$work/records.jsonl" || fail 'no record was appended'
values() { grep '"value"' "$1" | tr -dc '0-9.e+\n-'; }
paste <(values "$shipped") <(values "$work/fit.json") |
    awk '{ off = $1 / $2 - 1; if (off > 0.01 || off < -0.01) wrong = 1; n++ } END { exit wrong || n != 27 }' ||
    fail 'the parameters shipped are not those of the fit'
# figure FILTER BY KEY: of the scores of a tier or source
figure() {
    sed -n 's/.*"scores":\[\(.*\)\],"sweeps".*/\1/p' "$work/out" | sed 's/},{"\(tier\|parameters\)/}\n{"\1/g' | grep -F -- "$1" |
        sed "s/.*\"$2\":{\([^}]*\)}.*/\1/" | tr ',' '\n' | sed -n "s/^\"$3\"://p" | head -n 1
}
holds() { # holds FILTER BY KEY LEAST MOST
    local x
    x=$(figure "$1" "$2" "$3")
    awk -v x="$x" -v least="$4" -v most="$5" 'BEGIN { exit !(x != "" && x + 0 >= least && x + 0 <= most) }' ||
        fail "$1, $2: $3 is $x, not within $4 and $5"
}
holds '"tier":1,"parameters"' parameters mean 0.0600 0.0615
holds '"tier":2,"parameters"' parameters mean 0.0590 0.0605
holds '"tier":1,"parameters"' sources mean 0.05 0.10
holds '"tier":1,"parameters"' sources median 0.03 0.07
holds '"tier":2,"parameters"' sources mean 0.05 0.15
holds '"tier":2,"parameters"' sources median 0.03 0.10
holds '"tier":1,"parameters"' rate mean 0.12 1 # the rival is worse
holds Korthikanti sources mean 0 0.0365
holds Korthikanti sources max 0 0.0887
holds vTrain sources mean 0 0.1473
holds '"parameters":{"n":634' tenths coverage 0.85 0.95
holds '"parameters":{"n":634' tenths half_width 0 0.15
worst=$(grep -o '"sources":{"n":[0-9]*,"mean":[0-9.e-]*' "$work/out" | sed 's/.*://' | sort -g | tail -n 1)
awk -v x="$worst" 'BEGIN { exit !(x > 0.1 && x <= 0.25) }' || fail "the worst source's mean error is $worst"

# A table of one's own, with fewer columns; some of its runs were fitted on, by their source and name.
{
    echo 'id,source,accelerator,n_accelerators,layers,hidden,heads,seq_len,global_batch,micro_batch,tp,pp,dp,iteration_s,framework'
    echo 'mine,me,A100-SXM4-80GB,8,24,2048,16,2048,512,4,1,1,8,12,megatron-core'
    echo 'other,me,Abacus,8,24,2048,16,2048,512,4,1,1,8,12,'
} >"$work/own.csv"
run 0 "$work/own.csv"
says '2 rows; 2 complete of tiers 1 and 2, of which 1 are used'
says 'in-sample, not on 1'
says '^mine .*not fitted on'
says "^other .*line 3: the accelerator's data sheet"
{ head -n 1 "$runs"; grep '^kort-00[12],' "$runs"; } >"$work/two.csv"
run 0 "$work/two.csv"
says 'fitted on 2 of these runs'

# Refused: exit 2, one line on stderr that says where, nothing on stdout, no file written.
head -n 1 "$runs" >"$work/none.csv"
sed 's/^id,/name,/' "$runs" >"$work/column.csv"
awk -F, -v OFS=, 'NR == 1 || /^kort-001,/' "$runs" | sed 's/,Korthikanti/,K/; s/,2048,/,2048x,/' >"$work/number.csv"
echo '{' >"$work/torn.json"
sed 's/"k0"/"k1"/' "$shipped" >"$work/unknown.json"
cat >"$work/cases" <<END
absent.csv | $work/absent.csv
none.csv: none of its 0 rows | $work/none.csv
column.csv:1: unknown column "name" | $work/column.csv
number.csv:2: | $work/number.csv
torn.json | --parameters $work/torn.json
unknown.json: k0: missing | --parameters $work/unknown.json
absent.json | --parameters $work/absent.json
is a folder | --fit --parameters $work
--max-mean | --max-mean ten
--min-coverage | --min-coverage 101
unknown flag "--fix" | --fix
belongs to no flag | $work/own.csv more.csv
--parameters | --parameters
END
refused "$work/cases"
cp "$work/fit.json" "$work/kept.json"
run 2 "$work/column.csv" --fit --parameters "$work/kept.json"
cmp -s "$work/fit.json" "$work/kept.json" || fail 'a refused table changed the parameters'
[ -z "$(find "$work" -name '*.part')" ] || fail 'a half-written file is left'
exit $bad
