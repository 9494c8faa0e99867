# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# Sourced first by the tests in bash: they start at the top of the tree, with a folder $work that goes when they end, and
# say what is wrong by `fail`; their last line is `exit $bad`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
BUILD=$(realpath -m "${BUILD:-build}")
toise=$BUILD/toise
work=$(mktemp -d)
leave() {
    chmod -R u+w "$work"
    rm -rf "$work"
}
trap leave EXIT
bad=0
fail() {
    echo "$1"
    bad=1
}

# call COMMAND...: its output in $work/out and $work/err, its exit code in $code; $limit seconds at most
limit=120
call() {
    code=0
    timeout "$limit" "$@" >"$work/out" 2>"$work/err" </dev/null || code=$?
}
# run CODE ARGUMENTS...: toise ends so, after the words of $command
command=()
run() {
    local want=$1
    shift
    call "$toise" "${command[@]}" "$@"
    [ "$code" = "$want" ] || fail "${command[*]} $*: exit $code, not $want: $(tail -n 3 "$work/out" "$work/err")"
}
# says PATTERN: the page has it (grep -E)
says() { grep -qE -- "$1" "$work/out" || fail "the page lacks: $1"; }

# refused PATTERN COMMAND...: exit 2, one line of toise's that has it, nothing on stdout, no $work/none.jsonl
refused() {
    local pattern=$1
    shift
    call "$@"
    [ "$code" = 2 ] || fail "$*: exit $code, not 2: $(cat "$work/out" "$work/err")"
    [ "$(grep -c '^toise: ' "$work/err")" = 1 ] || fail "$*: not one line: $(cat "$work/err")"
    grep -q -- "$pattern" "$work/err" || fail "$*: lacks \"$pattern\": $(cat "$work/err")"
    [ ! -s "$work/out" ] && [ ! -e "$work/none.jsonl" ] || fail "$*: wrote something"
}
# refused_lines FILE: its lines are "words | arguments", and toise refuses these arguments after the words of $command;
# the words stand in the message as they are, and nothing else is on stderr
refused_lines() {
    local words arguments
    while IFS='|' read -r words arguments; do
        # shellcheck disable=SC2086  # arguments are words
        refused '' "$toise" "${command[@]}" $arguments
        [ "$(wc -l <"$work/err")" = 1 ] || fail "$arguments: not one line: $(cat "$work/err")"
        grep -qF -- "${words% }" "$work/err" || fail "$arguments: \"$(cat "$work/err")\" lacks \"${words% }\""
    done <"$1"
}

# valid FILE...: their records are as results/schema.json says, and have no key that it lacks; the kinds in $kinds
valid() {
    local python
    kinds=
    for python in /usr/bin/python3 python3; do "$python" -c 'import jsonschema' 2>/dev/null && break; done
    if ! "$python" -c 'import jsonschema' 2>/dev/null; then
        echo 'SKIP: records against results/schema.json: python3-jsonschema is not installed'
    else
        kinds=$("$python" tests/cli/schema.py results/schema.json "$@" 2>&1) || fail "results/schema.json: $kinds"
    fi
}
