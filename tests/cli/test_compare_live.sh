#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: full
# check: timeout 1800
# check: no sanitizers: it compares speeds
# toise compare on launches of a small model: causes that are injected into real launches are named, and settings
# without effect are not blamed. Launches are made in turns. A machine too busy to show a cause's effect skips it.
. "$(dirname "$0")/../prelude.sh"
unset TOISE_ISA OPENBLAS_CORETYPE OMP_NUM_THREADS
export OMP_WAIT_POLICY=passive
ROUNDS=8
[ "$(nproc)" -ge 2 ] || { echo 'SKIP: comparisons of live launches: one CPU only'; exit 77; }
cat >"$work/model.json" <<'END'
{"model_type": "gpt2", "n_embd": 256, "n_layer": 3, "n_head": 4, "n_positions": 128, "vocab_size": 4096,
 "layer_norm_epsilon": 1e-5, "initializer_range": 0.02, "activation_function": "gelu_new", "tie_word_embeddings": true}
END

# A control group with a quota of 60 ms in 100 ms, of cgroup v1 or v2; none: $group is ""
group=
load=()
# shellcheck disable=SC2317  # called by the trap
finish() {
    [ ${#load[@]} = 0 ] || kill "${load[@]}" 2>/dev/null || true
    [ -z "$group" ] || rmdir "$group" || true
    leave
}
trap finish EXIT
for root in /sys/fs/cgroup/cpu /sys/fs/cgroup/cpu,cpuacct /sys/fs/cgroup; do
    group=$root/toise-compare-$$
    mkdir "$group" 2>/dev/null || { group= && continue; }
    { echo 100000 >"$group/cpu.cfs_period_us" && echo 60000 >"$group/cpu.cfs_quota_us"; } 2>/dev/null && break
    { [ -e "$group/cpu.max" ] && echo '60000 100000' >"$group/cpu.max"; } 2>/dev/null && break
    rmdir "$group"
    group=
done

# launch NAME [VARIABLE=VALUE...] [FLAGS...]: appends a launch to $work/NAME.jsonl
launch() {
    local name=$1 variables=() code=0
    shift
    while [[ ${1-} = [A-Z]*=* ]]; do variables+=("$1") && shift; done
    env "${variables[@]}" timeout 120 "$toise" train --model "$work/model.json" --seq 64 --steps 20 --threads 2 "$@" \
        --out "$work/$name.jsonl" >"$work/out" 2>"$work/err" </dev/null || code=$?
    [ $code = 0 ] || [ $code = 3 ] || fail "$name: exit $code: $(tail -n 3 "$work/out" "$work/err")"
}
# The same in the control group, and beside a busy process on each of two CPUs.
launch_held() { (echo "$BASHPID" >"$group/cgroup.procs" && launch "$@"); }
launch_beside() {
    load=()
    for _ in 1 2; do (while :; do :; done) & load+=($!); done
    launch "$@"
    kill "${load[@]}" && wait "${load[@]}" 2>/dev/null || true
    load=()
}

for ((round = 1; round <= ROUNDS; round++)); do
    launch base
    launch blas --backend openblas
    launch isa TOISE_ISA=avx2
    launch plain TOISE_ISA=ref
    launch core OPENBLAS_CORETYPE=Prescott --backend openblas
    launch threads --threads 1
    launch decoy-core OPENBLAS_CORETYPE=Prescott
    launch decoy-stack OMP_STACKSIZE=8M OMP_DYNAMIC=false
    launch decoy-seed --seed 7
    launch again
    launch_beside load
    [ -z "$group" ] || launch_held quota
done

# named BASE NEW CAUSE: the comparison is decided, and names the cause; a busy machine skips it
injected=0 found=0
named() {
    injected=$((injected + 1))
    call "$toise" compare "$work/$1.jsonl" "$work/$2.jsonl"
    shows=$(sed -n 's/^could show  \([^%]*\)%.*/\1/p' "$work/out")
    if [ $code != 1 ] || awk -v x="${shows:-100}" 'BEGIN { exit !(x > 25) }'; then
        injected=$((injected - 1))
        [ $code != 2 ] || fail "$1 and $2: $(cat "$work/err")"
        echo "SKIP: cause \"$3\": the machine is too busy, or as fast with it: $(grep '^ratio' "$work/out" || true)"
    elif grep -qE "^(likely|           ) *$3" "$work/out"; then
        found=$((found + 1))
    else
        echo "not named: $3: $(cat "$work/out")"
    fi
}
named base isa 'instruction set'
named base plain 'instruction set'
named blas core 'BLAS'
named base threads 'threads'
named base load 'other processes'
[ -z "$group" ] || named base quota '(stopped by a CPU quota|CPU quota)'
[ $((injected - found)) -le 1 ] || fail "only $found of $injected injected causes are named"
echo "$found of $injected injected causes are named"

# The core type of an OpenBLAS that is not used, other variables, a seed, and nothing at all.
blamed=0
for decoy in decoy-core decoy-stack decoy-seed again; do
    call "$toise" compare "$work/base.jsonl" "$work/$decoy.jsonl"
    [ $code != 2 ] || fail "$decoy: $(cat "$work/err")"
    ! grep -E '^likely' "$work/out" || blamed=$((blamed + 1))
done
[ $blamed -le 1 ] || fail "$blamed decoys are blamed"
exit $bad
