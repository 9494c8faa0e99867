# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: Apache-2.0
# Sourced by tests that have `run CODE ARGUMENTS...`, `fail` and $work.
#
# refused FILE: each of its lines, "words | arguments", is refused: exit 2, one line on stderr that begins with "toise: "
# and has the words, nothing on stdout.
refused() {
    local words arguments
    while IFS='|' read -r words arguments; do
        words=${words% }
        # shellcheck disable=SC2086
        run 2 $arguments
        [ ! -s "$work/out" ] || fail "$arguments: something on stdout"
        if [ "$(wc -l <"$work/err")" != 1 ] || ! grep -q '^toise: ' "$work/err"; then
            fail "$arguments: stderr is $(cat "$work/err")"
        fi
        grep -qF -- "$words" "$work/err" || fail "$arguments: \"$(cat "$work/err")\" lacks \"$words\""
    done <"$1"
}
