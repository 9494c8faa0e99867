#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# scripts/reference.sh [--check] [BUILD]: writes the table of results/README.md from the records in results/reference/.
# --check: only says whether the table is what it would write, and exits 1 if not.
set -euo pipefail
cd "$(dirname "$0")/.."
check=no
[ "${1-}" != --check ] || { check=yes; shift; }
toise=${1:-build}/toise
page=results/README.md

new=$(mktemp results/.reference.XXXXXX)
trap 'rm -f "$new" "$new.table"' EXIT
"$toise" report results/reference --format md >"$new.table"
awk -v table="$new.table" '
    /^<!-- scripts\/reference.sh: end -->$/ { inside = 0; found++ }
    !inside
    /^<!-- scripts\/reference.sh: begin -->$/ {
        inside = 1; found++
        while ((getline line < table) > 0) print line
    }
    END { if (found != 2) { print "scripts/reference.sh: the two marks are missing" > "/dev/stderr"; exit 2 } }
' "$page" >"$new"
if [ $check = yes ]; then
    diff "$page" "$new" || { echo "$page: its table is not what scripts/reference.sh writes: run it" >&2; exit 1; }
else
    chmod --reference="$page" "$new"
    mv "$new" "$page"
fi
