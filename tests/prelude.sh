# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# Sourced first by the tests in bash: they start at the top of the tree, with a folder $work that goes when they end, and
# say what is wrong by `fail`; their last line is `exit $bad`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
BUILD=$(realpath -m "${BUILD:-build}")
toise=$BUILD/toise
tree=$PWD
work=$(mktemp -d)
export TOISE_HOSTS=$work/hosts TOISE_CLUSTER=$work/cluster
leave() {
    [ ! -e "$TOISE_HOSTS" ] || "$tree/scripts/netns-hosts.sh" down
    [ ! -e "$TOISE_CLUSTER" ] || "$tree/scripts/virtual-cluster.sh" down
    chmod -R u+w "$work"
    rm -rf "$work"
}
trap leave EXIT
bad=0
fail() {
    echo "$1"
    bad=1
}

# hosts N [FLAGS]: host1 to hostN (scripts/netns-hosts.sh) until this test ends; 77 if there can be none, after saying why
hosts() { made netns-hosts.sh "$@"; }
# cluster N [FLAGS]: the same for a Slurm of node1 to nodeN (scripts/virtual-cluster.sh)
cluster() {
    made virtual-cluster.sh "$@" || return
    eval "$(cat "$work/made")"
}
made() {
    local script=$1 code=0
    shift
    # A test that is killed cannot end them itself.
    # shellcheck disable=SC2016 # the inner shell expands them
    (setsid bash -c 'while kill -0 "$0"; do sleep 1; done; [ ! -e "$1" ] || { "$2" down; rm -rf "$1"; }' \
        $$ "$work" "$tree/scripts/$script" </dev/null >/dev/null 2>&1 &)
    "$tree/scripts/$script" up "$@" >"$work/made" || code=$?
    [ $code != 77 ] || cat "$work/made"
    cat "$TOISE_HOSTS"/*.space "$TOISE_CLUSTER"/*.space >>"$work/spaces" 2>/dev/null || true
    case $code in 0 | 77) return $code ;; *) fail "$script up $*: exit $code" && exit 1 ;; esac
}

# sbatch_wait ARGUMENTS...: the job's exit code; its number in $id. (sbatch --wait looks only every ten seconds.)
sbatch_wait() {
    local state code
    id=$(sbatch --parsable "$@") || return
    for _ in $(seq 1200); do
        read -r state code < <(scontrol show job -o "$id" | sed 's/.* JobState=\([A-Z_]*\).* ExitCode=\([0-9]*\).*/\1 \2/')
        case $state in PENDING | CONFIGURING | RUNNING | COMPLETING | SUSPENDED) sleep 0.1 ;; *) return "$code" ;; esac
    done
    echo "job $id is $state after two minutes" && return 124
}

# check_full WHAT: whether this is make check-full; else says that WHAT was skipped
check_full() { [ -n "${CHECK_FULL-}" ] || { echo "SKIP: $1: only with CHECK_FULL set" && false; }; }
# no_grace: once a rank ended with an error mpirun kills the others, which have nothing more to say, and waits no seconds
no_grace() { export OMPI_MCA_odls_base_sigkill_timeout=0; }

# alive: the processes that still run on any of these machines
alive() {
    local process
    for process in /proc/[0-9]*; do
        ! grep -qwF "$(readlink "$process/ns/pid" 2>/dev/null || echo none)" "$work/spaces" || echo "$process: $(tr '\0' ' ' <"$process/cmdline")"
    done
}

# as_user: in a folder of its own, as a user would: build/toise here, records below results/
as_user() {
    mkdir "$work/user"
    cd "$work/user"
    ln -s "$BUILD" build
}

# call COMMAND...: its output in $work/out and $work/err, its exit code in $code; $limit seconds at most
limit=120
call() {
    code=0
    timeout "$limit" "$@" >"$work/out" 2>"$work/err" </dev/null || code=$?
}
# answers CODE PATTERN COMMAND...: it ends so, and prints the pattern (grep -E; "": anything)
answers() {
    local want=$1 pattern=$2
    shift 2
    call "$@"
    [ "$code" = "$want" ] || fail "$*: exit $code, not $want: $(cat "$work/out" "$work/err")"
    [ -z "$pattern" ] || grep -qE -- "$pattern" "$work/out" "$work/err" || fail "$*: lacks \"$pattern\": $(cat "$work/out" "$work/err")"
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
