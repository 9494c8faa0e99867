#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# scripts/reference.sh [--check] [BUILD]: writes the tables of results/README.md from records beside it.
# --check: only says whether they are what it would write, and exits 1 if not.
set -euo pipefail
cd "$(dirname "$0")/.."
check=no
[ "${1-}" != --check ] || { check=yes; shift; }
toise=${1:-build}/toise
page=results/README.md

new=$(mktemp results/.reference.XXXXXX)
trap 'rm -f "$new" "$new.table" "$new.next"' EXIT
cp "$page" "$new"
# table MARK COMMAND...: what the command prints goes between the marks
table() {
    local mark=$1
    shift
    "$@" >"$new.table"
    awk -v table="$new.table" -v begin="<!-- $mark: begin -->" -v end="<!-- $mark: end -->" '
        $0 == end { inside = 0; found++ }
        !inside
        $0 == begin {
            inside = 1; found++
            while ((getline line < table) > 0) print line
        }
        END { if (found != 2) { print "scripts/reference.sh: not one " begin " and " end > "/dev/stderr"; exit 2 } }
    ' "$new" >"$new.next"
    mv "$new.next" "$new"
}
table scripts/reference.sh "$toise" report results/reference --format md
table scripts/scaling.sh scripts/scaling.sh --table "$(dirname "$toise")" results/scaling-intel-xeon-2023
if [ $check = yes ]; then
    diff "$page" "$new" || { echo "$page: its tables are not what scripts/reference.sh writes: run it" >&2; exit 1; }
else
    chmod --reference="$page" "$new"
    mv "$new" "$page"
fi
