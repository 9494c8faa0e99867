#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# toise info: its page, its record, the same fingerprint in other records, several ranks, and two hosts that differ.
. "$(dirname "$0")/../prelude.sh"
. scripts/mpi.sh
export OMP_NUM_THREADS=1
unset TOISE_ISA SLURM_JOB_ID

# of FILE KEY: the first value of this key in the file's JSON, if it is a text
of() { grep -o "\"$2\":\"[^\"]*\"" "$1" | head -n 1 | cut -d'"' -f4 || true; }

command=(info)
run 0
says "^toise info   1 node, 1 rank$"
says "^fingerprint [0-9a-f]{16}   1 node: $(hostname)$"
for subject in processor instructions caches microcode clock memory 'NUMA nodes' modules pages board firmware kernel mitigations \
    IOMMU network 'CPU quota' 'control group' BLAS MPI transports build libraries 'Slurm job'; do
    says "^$subject  *[^ ]"
done
says '^transports    unknown \(started without MPI\)$'
SLURM_JOB_ID=77 SLURM_JOB_PARTITION=cpu SLURM_JOB_NUM_NODES=2 SLURM_JOB_NODELIST='n[1-2]' SLURM_CPUS_ON_NODE=64 run 0
says '^Slurm job     77 in cpu; nodes 2, n\[1-2\]; CPUs of this one 64$'

run 0 --json --out "$work/info.jsonl"
cmp -s "$work/out" "$work/info.jsonl" || fail 'the record that is printed is not the one that is written'
grep -q '"kind":"info","status":"PASSED"' "$work/out" || fail 'no record of kind info that PASSED'
here=$(of "$work/out" fingerprint)

# Other commands' records have the same fingerprint; another instruction set makes another.
command=(train)
run 3 --model tiny-gpt2 --seq 16 --steps 1 --no-gate --json
[ "$(of "$work/out" fingerprint)" = "$here" ] || fail 'the fingerprint of a training is another'
command=(info)
TOISE_ISA=ref run 0 --json
[ "$(of "$work/out" fingerprint)" != "$here" ] || fail 'TOISE_ISA=ref has the same fingerprint'

cat >"$work/refused" <<END
unexpected argument|n1
unknown flag|--nodes 2
--out|--out
does not hold records|--out README.md
END
refused_lines "$work/refused"
TOISE_ISA=mmx refused 'TOISE_ISA=mmx' "$toise" info

if ! command -v "${MPIRUN:-mpirun}" >/dev/null; then
    echo 'SKIP: several ranks: mpirun is not installed'
    exit $bad
fi
mpi_command
call "${MPI_COMMAND[@]}" "${MPI_UNBOUND[@]}" -n 2 "$toise" info
says '^toise info   1 node, 2 ranks$'
says "^fingerprint $here   1 node"
grep -q 'Open MPI' <<<"$("${MPIRUN:-mpirun}" --version 2>/dev/null)" && says '^transports    pml [a-z0-9]+; '

# Two hosts, of which the second caps its instructions
hosts 2 || exit $bad
call scripts/netns-hosts.sh run 3 sh -c "[ \$(hostname) = host1 ] || export TOISE_ISA=ref; exec $toise info"
[ "$code" = 0 ] || fail "two hosts: exit $code: $(cat "$work/out" "$work/err")"
says '^toise info   2 nodes, 3 ranks$'
says '^\* isa  .*ref on host2'
says '^fingerprint [0-9a-f]{16}   1 node: host2$'
head -n 3 "$work/out" | grep '^What differs between nodes' >/dev/null || fail 'differences are not first'
call scripts/netns-hosts.sh run 2 "$toise" info
says '^All 2 nodes are equal.$'
says '^fingerprint [0-9a-f]{16}   2 nodes: host\[1-2\]$'
exit $bad
