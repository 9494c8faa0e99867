#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 300
# Hosts that are gone, that hang as a whole, or whose link is lost, and a rank on another host: each is named on the
# others, whose ranks end with exit code 4 in time.
. "$(dirname "$0")/../prelude.sh"
export OMP_NUM_THREADS=1 TOISE_HOSTS=$work/hosts WORK=$work
hosts=scripts/netns-hosts.sh
train=("$toise" train --model tiny-gpt2 --seq 32 --warmup 2 --threads 1 --timeout 3)
mpirun=
# Ends the launcher. Its remote shells stop when what runs in them is stopped, and would keep their hosts.
finish() {
    [ -n "$mpirun" ] || return 0
    pkill -CONT -P "$mpirun" || :
    kill -9 "$mpirun" || :
    wait "$mpirun" 2>/dev/null || :
    mpirun=
}
# shellcheck disable=SC2317  # the prelude calls it at the end
leave() {
    finish >/dev/null 2>&1
    $hosts down >/dev/null 2>&1 || :
    rm -rf "$work"
}
code=0
$hosts up 3 >"$work/up" 2>&1 || code=$?
[ $code = 0 ] || { cat "$work/up" && exit $code; }

# A rank below a shell that keeps its process number on its host, and its exit code.
cat >"$work/rank.sh" <<'END'
rank=${OMPI_COMM_WORLD_RANK:-0}
"$@" &
echo $! >"$WORK/pid.$rank"
wait $!
echo $? >"$WORK/code.$rank"
END

# start FLAGS...: a rank on each of the three hosts, in the background, until rank 0 prints a step and half a second
# more: hosts tell each other ten times a second what they do
start() {
    rm -f "$work"/pid.* "$work"/code.* "$work"/out
    $hosts run 3 bash "$work/rank.sh" "${train[@]}" --steps 100000 "$@" >"$work/out" 2>"$work/err" </dev/null &
    mpirun=$!
    for _ in $(seq 300); do
        if grep -q '^iteration' "$work/out"; then
            sleep 0.5
            return 0
        fi
        sleep 0.1
    done
    fail "no step in 30 s: $(tail -n 5 "$work/out" "$work/err")"
}
# ended WHAT RANK...: these ranks end with 4 within 15 seconds. Then all is over.
ended() {
    local what=$1 rank code
    shift
    for rank in "$@"; do
        for _ in $(seq 150); do
            [ ! -s "$work/code.$rank" ] || break
            sleep 0.1
        done
        code=$(cat "$work/code.$rank" 2>/dev/null) || code='no code'
        [ "$code" = 4 ] || fail "$what: rank $rank ended with $code, not 4: $(tail -n 5 "$work/err")"
    done
    finish
}
named() { # named WHAT PATTERN
    grep -qE "^toise: $2" "$work/err" || fail "$1: no \"$2\": $(tail -n 5 "$work/err")"
}
anew() {
    $hosts down >/dev/null 2>&1
    $hosts up 3 >/dev/null
}

start
$hosts link host2 down
ended 'a lost link' 0 1 2
named 'a lost link' 'host host2 \(rank 1\) has been silent for [3-6]\.[0-9] s: it hangs, or it or its link is down; phase: timed steps, step [0-9]+'
anew

start
$hosts kill host3
ended 'a host that is gone' 0 1
named 'a host that is gone' 'host host3 \(rank 2\) has been silent for [3-6]\.[0-9] s: it hangs, or it or its link is down; phase: timed steps'
anew

# On another host than rank 0: its own host sees it, and tells all.
start --inject hang:rank=2,step=20
ended 'a stuck rank' 0 1 2
named 'a stuck rank' 'rank 2 \(host host3, process [0-9]+\) has made no progress for [3-6]\.[0-9] s; phase: timed steps, step 20'

check_full 'a host that hangs, and a rank killed on its host' || exit $bad
anew
start
$hosts in host2 sh -c 'kill -STOP -1'
ended 'a host that hangs' 0 2
named 'a host that hangs' 'host host2 \(rank 1\) has been silent for [3-6]\.[0-9] s'
anew

# A rank that is killed alone on its host: the launcher sees it at once, and kills the others.
start --inject hang:rank=2,step=20,signal=9
code=0
wait "$mpirun" || code=$?
mpirun=
[ "$code" != 0 ] || fail "a killed rank: mpirun ended with 0: $(tail -n 5 "$work/err")"
exit $bad
