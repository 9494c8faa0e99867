#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Each mutation of table.txt still fits the sources: its old text stands exactly once in its files. test_mutants.sh
# applies them, which takes half an hour.
. "$(dirname "$0")/../prelude.sh"
trim() { sed 's/^ *//; s/ *$//' <<<"$1"; }
count=0
while IFS='|' read -r ops _ _ files rest; do # the rest may hold bars
    case $ops in '#'* | '' | *equivalent:*) continue ;; esac
    rest=$(trim "$rest") files=$(trim "$files") count=$((count + 1))
    # shellcheck disable=SC2086  # the column is a pattern
    found=$(cat $files | grep -oF -- "${rest%% ==> *}" | wc -l)
    [ "$found" = 1 ] || fail "$files: $found times: ${rest%% ==> *}"
done <tests/mutation/table.txt
[ $count -gt 200 ] || fail "only $count mutations"
exit $bad
