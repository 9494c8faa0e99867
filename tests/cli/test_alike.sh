#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Ranks that are not alike are named before anything is timed: another build or version, other instructions, another
# catalogue, model or data file, another processor. Exit 2 and no record, but for the processor, which is a warning.
. "$(dirname "$0")/../prelude.sh"
. scripts/mpi.sh
no_grace
export OMP_NUM_THREADS=1 program=$toise
unset TOISE_ISA
command -v "${MPIRUN:-mpirun}" >/dev/null || { echo 'SKIP: ranks that are not alike: mpirun is not installed'; exit 77; }

few=(--seq 16 --gbs 2 --steps 1 --warmup 0 --threads 1 --no-gate --out "$work/none.jsonl")
# second SETTING ARGUMENTS...: toise on two ranks, of which the second first does SETTING
second() {
    local setting=$1
    shift
    mpi_command
    # shellcheck disable=SC2016 # the ranks expand them
    call "${MPI_COMMAND[@]}" "${MPI_UNBOUND[@]}" -n 2 bash -c \
        '[ "${OMPI_COMM_WORLD_RANK:-$PMI_RANK}" = 0 ] || eval "$0"; exec "$program" "$@"' "$setting" "$@"
}
# apart WORDS SETTING ARGUMENTS...: they are refused with these words, in one line
apart() {
    local words=$1
    shift
    second "$@"
    [ "$code" = 2 ] || fail "$1: exit $code, not 2: $(cat "$work/out" "$work/err")"
    [ "$(grep -c '^toise: ' "$work/err")" = 1 ] || fail "$1: not one line: $(cat "$work/err")"
    grep -E -- "^toise: .*$words" "$work/err" >/dev/null || fail "$1: lacks \"$words\": $(cat "$work/err")"
    [ ! -e "$work/none.jsonl" ] || fail "$1: left a record"
}
ran() { # ran NAME: as if all were well
    case $code in 0 | 3) ;; *) fail "$1: exit $code: $(cat "$work/out" "$work/err")" ;; esac
    [ -s "$work/none.jsonl" ] || fail "$1: no record"
    rm -f "$work/none.jsonl"
}
host=$(hostname)

second true train --model tiny-gpt2 "${few[@]}"
ran 'alike'

# Copies with another build ID, and with another version
python3 - "$toise" "$work" <<'END'
import re, subprocess, sys
program, work = sys.argv[1:]
whole = open(program, 'rb').read()
at = whole.index(b'\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0') + 16
open(work + '/id', 'w').write(whole[at:at + 6].hex())
open(work + '/other', 'wb').write(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
version = subprocess.run([program, '--version'], capture_output=True, text=True).stdout.split()[1]
open(work + '/newer', 'wb').write(whole.replace(version.encode() + b'\0', b'9.9.9'.ljust(len(version), b'9') + b'\0'))
END
chmod +x "$work/other" "$work/newer"
apart "different programs: toise .* build $(cat "$work/id") on $host, toise .* build [0-9a-f]{12} on $host; start the same file" \
    "program=$work/other" train --model tiny-gpt2 "${few[@]}"
apart "different programs: .*toise 9\.9\.9 build $(cat "$work/id") on $host" "program=$work/newer" comm
apart 'given different flags' 'set -- "$@" --seed 7' train --model tiny-gpt2 "${few[@]}"

# Instructions. `info` only says so (test_info.sh).
if [ "$("$toise" info --json 2>/dev/null | grep -o '"isa":"[a-z0-9]*"')" = '"isa":"ref"' ]; then
    echo 'SKIP: ranks with other instructions: this CPU has only the reference kernels'
else
    for command in 'train --model tiny-gpt2' comm; do
        # shellcheck disable=SC2086 # several words
        apart "different kernels: .*ref on $host.*; set TOISE_ISA=ref for all" 'export TOISE_ISA=ref' $command --threads 1
    done
fi

# Files of the same name: a model, a workload of the catalogue, text of the same length
mkdir -p "$work/a" "$work/b/bin" "$work/b/share/toise"
sed 's/"parameters".*/"pad_token_id": 0/' harness/catalog/models/tiny-gpt2.json >"$work/a/config.json"
sed 's/"n_layer": *2/"n_layer": 1/' "$work/a/config.json" >"$work/b/config.json"
seq 1 4000 >"$work/a/text"
seq 4000 -1 1 >"$work/b/text"
cd "$work/a"
apart "not do the same work: \"full_layers\": [12] on $host, \"full_layers\": [12] on $host; give all nodes" \
    "cd $work/b" train --model ./config.json "${few[@]}"
apart 'not do the same work: "first samples": "[0-9a-f]{16}" on .*; give all nodes' \
    "cd $work/b" train --model "$work/a/config.json" --data text --data-format text "${few[@]}"
cd "$tree"
cp "$toise" "$work/b/bin/toise"
cp -r harness/catalog "$work/b/share/toise/catalog"
sed -i 's/"lr": *[0-9.e-]*/"lr": 0.5/' "$work/b/share/toise/catalog/workloads/node-s.json"
apart 'not do the same work: "lr": ' "program=$work/b/bin/toise" train --workload node-s --dry-run

# Two hosts, of which one has another program, then another processor
hosts 2 || exit $bad
# shellcheck disable=SC2016 # the hosts expand them
call scripts/netns-hosts.sh run 3 bash -c '[ "$(hostname)" = host1 ] || program=$0; exec "$program" "$@"' "$work/other" \
    train --model tiny-gpt2 --gbs 3
[ "$code" = 2 ] && grep -E 'toise: .* on host1, .* on host2; start the same file' "$work/err" >/dev/null ||
    fail "two hosts, two programs: exit $code: $(cat "$work/out" "$work/err")"
sed 's/^model name.*/model name\t: Abacus 9000/' /proc/cpuinfo >"$work/cpuinfo"
if ! scripts/netns-hosts.sh in host2 mount --bind "$work/cpuinfo" /proc/cpuinfo; then
    echo 'SKIP: two processors: /proc/cpuinfo cannot be covered'
else
    # hwloc would ask the processor itself
    HWLOC_COMPONENTS=-x86 call scripts/netns-hosts.sh run 2 "$toise" train --model tiny-gpt2 "${few[@]}"
    ran 'two processors'
    grep -E '^toise: the nodes. processors differ: .* on host1, Abacus 9000 on host2; all wait for the slowest$' "$work/err" >/dev/null ||
        fail "two processors: not named: $(cat "$work/err")"
fi
exit $bad
