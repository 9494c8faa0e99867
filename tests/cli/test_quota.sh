#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 240
# A quota of a fifth of a CPU, as in a container, by a control group of the test. The rate is by wall time, the peak is
# what the quota sustains, the quota and its stops are named, and a run that ends within a burst is inconclusive. On a
# machine too busy to give even that fifth nothing is stopped; the checks of stops are then skipped.
. "$(dirname "$0")/../prelude.sh"
. scripts/mpi.sh
group=
# shellcheck disable=SC2317  # called by the trap
finish() {
    [ -z "$group" ] || rmdir "$group" || true
    leave
}
trap finish EXIT

# A group with a quota of 20 ms in 100 ms, of cgroup v1 or v2
make_group() {
    local root
    for root in /sys/fs/cgroup/cpu /sys/fs/cgroup/cpu,cpuacct /sys/fs/cgroup; do
        group=$root/toise-test-$$
        mkdir "$group" 2>/dev/null || continue
        if { echo 100000 >"$group/cpu.cfs_period_us" && echo 20000 >"$group/cpu.cfs_quota_us"; } 2>/dev/null ||
            { [ -e "$group/cpu.max" ] && echo '20000 100000' >"$group/cpu.max"; } 2>/dev/null; then
            return 0
        fi
        rmdir "$group" # one of another controller
    done
    group=
    return 1
}
make_group || { echo 'SKIP: runs under a CPU quota: no control group can be made (root, and a cpu controller to write)'; exit 77; }

# within CODE... -- COMMAND...: runs in the group; its output in $work/out and $work/err
within() {
    local codes=() code=0
    stops=$(awk '/^nr_throttled/ { print $2 }' "$group/cpu.stat")
    while [ "$1" != -- ]; do codes+=("$1"); shift; done
    shift
    (echo "$BASHPID" >"$group/cgroup.procs" && exec "$@") >"$work/out" 2>"$work/err" </dev/null || code=$?
    [[ " ${codes[*]} " = *" $code "* ]] || fail "$*: exit $code: $(tail -n 5 "$work/out" "$work/err")"
}
# stopped WHAT: whether the quota stopped the last command
stopped() {
    [ "$(awk '/^nr_throttled/ { print $2 }' "$group/cpu.stat")" -gt "$stops" ] && return
    echo "SKIP: stops of a CPU quota, $1: the machine is too busy to grant what the quota does"
    return 1
}
# figure FILE KEY: the number or numbers of the newest record at the first such key
figure() { tail -n 1 "$1" | grep -o "\"$2\": *[^],}]*" | head -n 1 | sed 's/^[^:]*: *//; s/[][,]/ /g'; }
# holds WORDS EXPRESSION: of awk
holds() { awk "BEGIN { exit !($2) }" || fail "$1: not $2"; }

sizes=(--model tiny-gpt2 --seq 64 --gbs 4 --threads 1)
"$toise" train "${sizes[@]}" --steps 20 --out "$work/free" >"$work/out" 2>&1 || [ $? = 3 ] || fail "without a quota: $(tail -n 3 "$work/out")"
free=$(figure "$work/free" peak_flop_per_s)

# Long enough for several periods on any machine. The rate is the tokens of all steps over the time from the start of
# the first to the end of the last.
within 0 3 -- "$toise" train "${sizes[@]}" --steps 150 --out "$work/held"
rate=$(figure "$work/held" tokens_per_s)
samples=$(tail -n 1 "$work/held" | sed 's/.*"samples"://; s/"result":.*//; s/"warmup":.*//')
wall=$(for key in start_s rank0_step_s; do grep -o "\"$key\":\[[^]]*" <<<"$samples" | sed 's/.*[[,]//'; done | awk '{ s += $1 } END { print s }')
[ -n "$wall" ] || fail 'no samples in the record'
holds 'the rate against the clock' "$rate * $wall / (256 * 150) > 0.9 && $rate * $wall / (256 * 150) < 1.1"
steps=$(grep -o '"step_s":\[[^]]*' <<<"$samples" | sed 's/.*\[//')
holds 'the rate against all steps' "$(awk -v r="$rate" '{ n = split($0, x, ","); for (i in x) s += x[i]; r = r * s / (256 * n); print (r > 0.999 && r < 1.001) }' <<<"$steps")"
holds 'the quota in the record' "$(tail -n 1 "$work/held" | grep -o '"cpu_quota": *{"cpus": *[0-9.]*' | sed 's/.*: *//') == 0.2"
grep -q '^quota  *0.2 CPUs: 20 ms of CPU time in every 100 ms, by '"$group" "$work/out" || fail 'the report does not name the quota'
if stopped train; then
    tail -n 1 "$work/held" | grep -q '"marks":[^}]*"throttled"' || fail 'no step is marked throttled'
    grep -q 'the CPU quota stopped the process in [1-9][0-9]* periods' "$work/out" ||
        fail "the report does not say what parts the rate from the median: $(grep -A1 '^wall clock' "$work/out")"
fi
holds 'the peak that a fifth of a CPU sustains' "$(figure "$work/held" peak_flop_per_s) < 0.6 * $free"

within 3 -- "$toise" train "${sizes[@]}" --steps 1 --warmup 0
grep -q 'too short for a CPU quota with a period of 0.1 s: more --steps' "$work/err" || fail "a burst: $(cat "$work/err")"

echo 'NN 256 256 256' >"$work/shapes"
within 0 1 3 -- "$toise" kernels --shapes "$work/shapes" --threads 1 --op gemm --isa ref --dtype f32 --seconds 0.01 --out "$work/kernels"
grep -q '^quota ' "$work/out" || fail 'kernels: the page does not name the quota'
if ! grep -q '"status":"FAILED"' "$work/kernels"; then
    holds 'the roof that a fifth of a CPU sustains' "$(figure "$work/kernels" peak_flop_per_s) < 0.6 * $free"
    ! stopped kernels || grep -q '"marks":[^}]*"throttled"' "$work/kernels" || fail 'kernels: no sample is marked throttled'
fi

check_full 'toise comm under a quota' || exit $bad
if command -v "${MPIRUN:-mpirun}" >/dev/null; then
    mpi_command
    within 0 3 -- "${MPI_COMMAND[@]}" "${MPI_UNBOUND[@]}" -n 2 "$toise" comm --bytes 1MiB --threads 1 --seconds 0.1 --ci 1 --out "$work/comm"
    ! stopped comm || grep -Eq '"marks":[^}]*"throttled"|stopped ranks in' "$work/comm" || fail 'comm: nothing says throttled'
    grep -q '^quota ' "$work/out" || fail 'comm: the page does not name the quota'
else
    echo 'SKIP: toise comm under a quota: mpirun is not installed'
fi
exit $bad
