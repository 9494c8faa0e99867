#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 600
# toise curve: every series of the catalogue is predicted without its sources and drawn, with a point for each run.
# The page matches the record. Pictures in the cost model's README equal those drawn today. Bad input is refused.
. "$(dirname "$0")/../prelude.sh"
drawn=no
command -v gnuplot >/dev/null && drawn=yes
[ $drawn = yes ] || echo 'SKIP: pictures: gnuplot is not installed'

command=(curve)
# count PATTERN FILE: occurrences
count() { { grep -o -- "$1" "$2" || true; } | wc -l; }
# figure KEY: of the record's summary over all groups
figure() { sed 's/.*"summary"://' "$work/record" | tr ',{}' '\n' | sed -n "s/^\"$1\"://p"; }
percent() { awk -v x="$1" -v format="$2" 'BEGIN { printf format, 100 * x }'; }

well_formed() { # well_formed SVG: as XML, if a checker is installed
    if command -v xmllint >/dev/null; then xmllint --noout "$1"; else python3 -c 'import sys, xml.dom.minidom as d; d.parse(sys.argv[1])' "$1"; fi
}

points() { sed -n "s/.*<use xlink:href='#gpPt[0-9]*' transform='translate(\([0-9.]*\),\([0-9.]*\)).*/\1 \2/p" "$1"; }
# same SVG SVG: by another gnuplot version, or with as many numbers that differ by at most a pixel
version() { grep -o 'GNUPLOT [0-9.]* patchlevel [0-9]*' "$1"; }
numbers() { grep -o '[0-9][0-9.]*' "$1"; }
same() {
    [ "$(version "$1")" = "$(version "$2")" ] || return 0
    paste <(numbers "$1") <(numbers "$2") | awk 'NF != 2 || $1 - $2 > 1 || $2 - $1 > 1 { exit 1 }'
}

run 0 --list
cut -d' ' -f1 "$work/out" >"$work/names"
[ "$(cat "$work/names")" = "$(cd harness/catalog/curves && printf '%s\n' *.json | LC_ALL=C sort | sed 's/.json$//')" ] || fail "the list is not that of the files"
while read -r name; do
    if [ ! -e "results/curves/$name.svg" ] && ! check_full "the curve $name"; then
        continue
    fi
    echo "$name" >>"$work/done"
    svg=()
    [ $drawn = no ] || svg=(--svg "$work/$name.svg")
    run 0 "$name" "${svg[@]}" --json --out "$work/records.jsonl"
    mv "$work/out" "$work/record"
    [ "$(wc -l <"$work/record")" = 1 ] || fail "$name: --json is not one line"
    [ "$(count '"kind":"curve"' "$work/record")" = 1 ] || fail "$name: no record"
    rows=$(tr -d ' \n' <"harness/catalog/curves/$name.json" | grep -o '"rows":\[[^]]*\]' | grep -o '"[^"]*"' | grep -vc '"rows"')
    [ "$(count '"published_s":' "$work/record")" = "$rows" ] || fail "$name: the record has not its $rows runs"
    page="mean $(percent "$(figure mean)" %.1f)%, median $(percent "$(figure median)" %.1f)%, at most $(percent "$(figure max)" %.1f)%"
    grep -qF "$page" "$work/err" || fail "$name: the page does not say: $page"
    grep -qF "$(percent "$(figure coverage)" %.0f)% of $rows runs" "$work/err" || fail "$name: the page's coverage is not the record's"
    [ $drawn = yes ] || continue
    well_formed "$work/$name.svg" || fail "$name.svg is not XML"
    [ "$(points "$work/$name.svg" | wc -l)" = $((rows + 1)) ] || fail "$name.svg has not a point for each of $rows runs and one in its key"
    grep -qF "mean error of the time $(percent "$(figure mean)" %.1f)%" "$work/$name.svg" || fail "$name.svg does not say its error"
    [ ! -e "results/curves/$name.svg" ] || same "results/curves/$name.svg" "$work/$name.svg" || fail "results/curves/$name.svg is not what is drawn now"
done <"$work/names"
[ "$(wc -l <"$work/records.jsonl")" = "$(wc -l <"$work/done")" ] || fail 'records were not appended'

# The figures in the cost model's README are those of the records.
# shellcheck disable=SC2016
sed -n 's/^| `\([a-z0-9-]*\)` |.* | \([0-9.]*\)% | \([0-9]*\)% |.*$/\1 \2 \3/p' harness/costmodel/README.md >"$work/table"
diff <(cut -d" " -f1 "$work/table" | sort) <(sort "$work/names") >/dev/null || fail 'the README has not a row for each curve'
while read -r name mean inside; do
    grep -qx "$name" "$work/done" || continue
    grep "\"curve\":\"$name\"" "$work/records.jsonl" >"$work/record"
    [ "$(percent "$(figure mean)" %.1f)" = "$mean" ] || fail "README: $name errs by $(figure mean), not $mean%"
    [ "$(percent "$(figure coverage)" %.0f)" = "$inside" ] || fail "README: $name covers $(figure coverage), not $inside%"
done <"$work/table"

# Refused: exit 2, one line on stderr that names file and field; nothing on stdout, nothing drawn.
curve=harness/catalog/curves/megatron-2021.json
sed 's/"y": "flops"/"y": "speed"/' $curve >"$work/figure.json"
sed 's/mlm-t1-005/mlm-t1-505/g' $curve >"$work/row.json"
sed 's/"virtual_pp"/"virtual"/' $curve >"$work/column.json"
sed 's/"published"/"rumoured"/' $curve >"$work/status.json"
sed '/"stated"/,/^  \],/d' $curve >"$work/incomplete.json"
head -c 200 $curve >"$work/torn.json"
cat >"$work/cases" <<END
unknown "megatron-2020"; known: bloom-batch | megatron-2020
figure.json: y: | $work/figure.json
row.json: groups[0].rows: mlm-t1-505 | $work/row.json
there is no column "virtual" | $work/column.json
status.json: stated.status | $work/status.json
incomplete.json: groups[0].rows: mlm-t1-001: is incomplete | $work/incomplete.json
torn.json | $work/torn.json
absent.json | $work/absent.json
is a folder | megatron-2021 --svg $work
--svg and --out are both | megatron-2021 --svg $work/both --out $work/./both
is a folder | megatron-2021 --out $work
SERIES is missing | --json
unexpected argument "lucie" | megatron-2021 lucie
--out and SERIES are both | $work/row.json --out $work/row.json
END
refused_lines "$work/cases"

# Without gnuplot it says so before it computes, and existing files are kept.
mkdir "$work/empty"
echo kept >"$work/kept.svg"
code=0
PATH=$work/empty "$toise" curve lucie --svg "$work/kept.svg" >"$work/out" 2>"$work/err" || code=$?
[ $code = 2 ] && grep -q 'gnuplot is not installed' "$work/err" && [ "$(cat "$work/kept.svg")" = kept ] || fail "without gnuplot: exit $code"
[ -z "$(find "$work" -name '*.part')" ] || fail 'a half-written file is left'
exit $bad
