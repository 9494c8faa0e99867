#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A rank's thread count: the least that its CPUs, Slurm, OpenMP's variables and a CPU quota grant, named in every
# report. Nonsense in them is refused, even where OpenMP would end the process.
. "$(dirname "$0")/../prelude.sh"
group=
# shellcheck disable=SC2317  # called by the trap
finish() {
    [ -z "$group" ] || rmdir "$group"
    leave
}
trap finish EXIT
unset "${!OMP_NUM@}" "${!OMP_THREAD@}" "${!OMP_PLACES@}" "${!OMP_PROC@}" "${!GOMP_@}" "${!SLURM_CPUS@}"
fail() {
    echo "$1: $(head -c 600 "$work/said")"
    bad=1
}
plan=("$toise" train --model tiny-gpt2 --seq 32 --dry-run --json)

# ends NAME WANTED COMMAND...: checks the exit code; the output is in $work/said
ends() {
    local name=$1 wanted=$2 code=0
    shift 2
    timeout -k 5 60 bash -c '. scripts/mpi.sh; "$@"' - "$@" >"$work/said" 2>&1 </dev/null || code=$?
    [ $code = "$wanted" ] || fail "$name: exit $code, not $wanted"
}
# takes NAME THREADS FROM COMMAND...: a plan or a record reports this count and limit
takes() {
    ends "$1" 0 "${@:4}"
    grep -q "\"threads\": \?$2, \?\"threads_from\": \?\"$3\"" "$work/said" || fail "$1: not $2 threads by $3"
}
refused() { # refused WORDS COMMAND...: exit 2, one line that has the words
    ends "$1" 2 "${@:2}"
    grep -q "^toise: .*$1" "$work/said" || fail "$1: not said"
    [ "$(grep -c '^toise' "$work/said")" = 1 ] || fail "$1: more than a line"
}

takes 'nothing said' '[0-9]*' '\(affinity mask\|cgroup quota\)' "${plan[@]}"
own=$(sed 's/.*"threads": *\([0-9]*\).*/\1/' "$work/said") # what this machine grants
from='\(affinity mask\|cgroup quota\)'
first=$(taskset -cp $$ | sed 's/.*: *\([0-9]*\).*/\1/')
takes 'one CPU' 1 'affinity mask' taskset -c "$first" "${plan[@]}"
for name in OMP_NUM_THREADS OMP_THREAD_LIMIT SLURM_CPUS_PER_TASK SLURM_CPUS_ON_NODE; do
    if [ "$own" -gt 1 ]; then
        takes "$name" 1 $name env $name=1 "${plan[@]}"
    else
        echo "SKIP: $name below what the machine grants: that is one CPU"
    fi
    takes "$name, many" "$own" "$from" env $name=4096 "${plan[@]}"
    takes "$name, empty" "$own" "$from" env $name= "${plan[@]}"
    for value in junk 0 -1 1.5 2x; do
        refused "$name=$value: not a positive whole number" env $name=$value "${plan[@]}"
    done
    [ $name = OMP_THREAD_LIMIT ] || takes "--threads before $name" 3 '--threads' env $name=1 "${plan[@]}" --threads 3
done
[ "$own" = 1 ] || takes 'a list' 1 OMP_NUM_THREADS env OMP_NUM_THREADS=1,2 "${plan[@]}"
takes '--threads before nonsense' 3 '--threads' env OMP_NUM_THREADS=junk "${plan[@]}" --threads 3
refused '--threads 3: OMP_THREAD_LIMIT allows 2' env OMP_THREAD_LIMIT=2 "${plan[@]}" --threads 3

# OpenMP ends a process with exit code 1 if it is to run on CPUs that do not exist.
for value in 4095 0-4095 '0 4095' junk; do
    for command in "train --model tiny-gpt2 --seq 32 --steps 1" 'kernels --model tiny-gpt2' 'curve lucie' \
        "validate --fit --parameters $work/fit.json"; do
        # shellcheck disable=SC2086  # several words
        refused "GOMP_CPU_AFFINITY=$value: " env GOMP_CPU_AFFINITY="$value" "$toise" $command
    done
done
for setting in OMP_PLACES=junk 'OMP_PLACES={4095}' OMP_PROC_BIND=junk; do
    ends "$setting" 3 env "$setting" "$toise" train --model tiny-gpt2 --seq 32 --steps 1 --warmup 0 --no-gate
    grep -qF "OpenMP ignores $setting" "$work/said" || fail "$setting: no warning"
done

# Every command follows this rule; its record and its page name the limit.
few=(train --model tiny-gpt2 --seq 32 --steps 1 --warmup 0 --no-gate)
echo 'NT 8 8 8' >"$work/shape"
bound=OMP_NUM_THREADS
[ "$own" != 1 ] || bound=$from
names() { # names NAME COMMAND...: of a short run whose rates nobody reads
    OMP_NUM_THREADS=1 timeout 60 bash -c '. scripts/mpi.sh; "$@"' - "${@:2}" >"$work/said" 2>&1 </dev/null || true
    grep -q "1 thread.*[( ]$bound)\\?" "$work/said" || fail "$1: the page does not name $bound"
    grep -q "\"threads\": *1, *\"threads_from\": *\"$bound\"" "$work/record" || fail "$1: the record does not"
    [ "$1" = comm ] || grep -q '_of": *"measured [^"]*, 1 thread[,"]' "$work/record" || fail "$1: a fraction does not name its roof's threads"
    rm -f "$work/record"
}
names train "$toise" "${few[@]}" --out "$work/record"
names kernels "$toise" kernels --shapes "$work/shape" --dtype f32 --isa ref --seconds 0.01 --out "$work/record"
if command -v "${MPIRUN:-mpirun}" >/dev/null; then
    bound='\(affinity mask\|OMP_NUM_THREADS\|cgroup quota\)' # by the number of CPUs
    names comm mpi_launch 2 "$toise" comm --bytes 64 --seconds 0.01 --out "$work/record"
    refused 'OMP_NUM_THREADS=junk: ' mpi_launch 2 env OMP_NUM_THREADS=junk "$toise" comm --bytes 64
    # shellcheck disable=SC2016
    refused 'OMP_NUM_THREADS=junk: ' mpi_launch 2 bash -c '[ "${OMPI_COMM_WORLD_RANK:-$PMI_RANK}" = 0 ] ||
        export OMP_NUM_THREADS=junk; exec "$@"' - "${plan[@]}"
else
    echo 'SKIP: threads of ranks: no mpirun'
fi

# A quota by a control group of the test, as a container has it; ranks share it.
mine=/sys/fs/cgroup/cpu/toise_threads_$$
limited() { # limited MICROSECONDS COMMAND...: of 100 ms
    echo "$1" >"$group/cpu.cfs_quota_us"
    # shellcheck disable=SC2016
    bash -c 'echo $$ >"$0/cgroup.procs"; . scripts/mpi.sh; "$@"' "$group" "${@:2}"
}
if ! mkdir "$mine" 2>/dev/null; then
    echo 'SKIP: threads by a CPU quota: no control group of version 1 can be made here'
else
    group=$mine
    echo 100000 >"$group/cpu.cfs_period_us"
    for quota in 50000 150000; do
        if [ "$own" -gt 1 ]; then
            limited $quota "${plan[@]}" >"$work/said" 2>&1 || fail "quota of $quota: exit $?"
            grep -q '"threads": *1, *"threads_from": *"cgroup quota"' "$work/said" || fail "quota of $quota"
            command -v "${MPIRUN:-mpirun}" >/dev/null || continue
            limited $quota mpi_launch 2 "$toise" "${few[@]}" >"$work/said" 2>&1 || true
            grep -q '^layout .*, 2 ranks of 1 thread (cgroup quota)' "$work/said" || fail "2 ranks, quota of $quota"
            grep -q '2 ranks share a cgroup quota of [01].5 CPUs and wait' "$work/said" || fail "2 ranks, $quota: no warning"
        fi
    done
fi

# A record says where its threads ran and whether its pages are near them; one node has no others.
for bind in core numa none; do
    ends "--bind $bind" 3 "$toise" train --model tiny-gpt2 --seq 32 --steps 1 --warmup 0 --no-gate --threads 1 --bind $bind --json
    [ $bind = none ] && pinned=false || pinned=true
    grep -q "\"bind\": *\"$bind\"" "$work/said" && grep -q "\"pinned\": *$pinned" "$work/said" || fail "--bind $bind: not in the record"
    grep -qE '"pages_near": ?(1.0|null)' "$work/said" || [ -e /sys/devices/system/node/node1 ] || fail "--bind $bind: pages"
done
refused '--bind: unknown "socket"; known: core, numa, none' "$toise" train --bind socket
exit $bad
