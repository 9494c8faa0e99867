#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 400
# toise nodes: what is refused, one rank alone, and ranks of which one is slow, flips a bit, hangs or is missing. The
# page, the record, the history, and toise report of them.
. "$(dirname "$0")/../prelude.sh"
. scripts/mpi.sh
export OMP_NUM_THREADS=1
command=(nodes)
tiny=(--model tiny-gpt2 --threads 1 --bytes 4096)

run 0 --help
says '--rounds N' && says 'Exit codes: 0 all are good'
cat >"$work/refused" <<END
--rounds: 4 is out of range | --rounds 4
--rounds: "many" is not | --rounds many
--unit: unknown "core"; known: node or rank | --unit core
--bytes: 7 is out of range | --bytes 7
tiny-gpt9 | --model tiny-gpt9
--seq 4096: tiny-gpt2 has | --model tiny-gpt2 --seq 4096
--layers | --model tiny-gpt2 --layers 99
--inject: "fast" is no fault | --inject fast:rank=0,factor=2
--inject: rank 1 does not exist | --inject slow:rank=1,factor=2
--hosts: the value is empty | --hosts= --model tiny-gpt2
is not a list of hosts; write it as in n[1-3,7],login | --hosts n[3-1] --model tiny-gpt2
$work/none.jsonl | --history $work/none.jsonl
needs | --model tiny-gpt2 --mbs 100000 --seq 100
END
refused_lines "$work/refused"

run 3 "${tiny[@]}" --rounds 5
says '1 of 1 node is unchecked, as no majority of such peers confirms it' && says 'too few nodes like it'
for _ in 1 2; do run 1 "${tiny[@]}" --rounds 5 --hosts "n[1-2],$(hostname)" --out "$work/lost.jsonl"; done
says '^  n2   unreachable: no rank runs there; chronic: bad in 1 of 1 earlier run$' && says '^--exclude=n\[1-2\]$'
call "$toise" report "$work/lost.jsonl" --html "$work/page.html"
[ $code = 0 ] && says '^--exclude=n\[1-2\]$' || fail "toise report: exit $code: $(cat "$work/err")"
grep -q '<td>unreachable' "$work/page.html" || fail 'the HTML page lacks the unreachable node'

if ! command -v "${MPIRUN:-mpirun}" >/dev/null; then
    echo 'SKIP: toise nodes of several ranks: mpirun is not installed'
    exit $bad
fi
mpi_command
# ranks N CODES ARGUMENTS...: N ranks end with one of these exit codes
ranks() {
    local n=$1 want=$2
    shift 2
    call "${MPI_COMMAND[@]}" "${MPI_UNBOUND[@]}" -n "$n" "$toise" nodes --unit rank "${tiny[@]}" "$@"
    [[ " $want " = *" $code "* ]] || fail "$n ranks, $*: exit $code, not $want: $(cat "$work/out" "$work/err")"
}
# named QUANTITY PERCENT PATTERN: the page names a rank so. Or the run says itself that it could not have named one that
# is slower by so much, as this machine is busy.
named() {
    local caught
    ! grep -qE -- "$3" "$work/out" || return 0
    caught=$(sed -n "s/^$1 .* \([0-9>.]*\)%\$/\1/p" "$work/out")
    if [[ $caught = '>100' ]] || awk -v caught="${caught:-0}" -v percent="$2" 'BEGIN { exit !(caught + 0 > percent) }'; then
        echo "SKIP: a rank slow by its $1: this machine is too busy, as $caught% would have been caught"
    else
        fail "the page lacks \"$3\", though $caught% would have been caught: $(cat "$work/out")"
    fi
}
out=$work/nodes.jsonl

# Ranks that are slow are named in noise, each with its roof.
limit=240
ranks 4 '1 3' --rounds 40 --bytes 262144 --inject slow:rank=2,factor=1.2+memory:rank=1,factor=4+link:rank=3,factor=20 --out "$out"
named 'core clock' 20 '^  rank 2 on .*   slow '
named memory 300 '^  rank 1 on .*   slow '
named link 1900 '^  rank 3 on .*   slow \(link\): link '
[ "$code" = 3 ] || says "^--exclude=$(hostname)$"
says '6 of 6 seen \(100%\)'
says '^injected  *slow:rank=2,factor=1.2.*: so this run measured no machine'

limit=120
# A flipped bit: by most of three, and of two by who cannot repeat it.
ranks 3 1 --rounds 6 --inject bitflip:rank=1,step=2 --out "$out"
says '^  rank 1 on .*   wrong: the bits of its steps differ from those of most peers, from round 3 on; rank 1; '
[ "$(grep -c '   wrong: ' "$work/out")" = 1 ] || fail "others are called wrong: $(cat "$work/out")"
ranks 2 1 --rounds 6 --inject bitflip:rank=0,step=4
says '^  rank 0 on .*   wrong: its steps had other bits the second time'
[ "$(grep -c '   wrong: ' "$work/out")" = 1 ] || fail "both of two are called wrong: $(cat "$work/out")"

# A rank that hangs: the others say so, and end with what they know.
rm -f "$work/hang.jsonl"
call "${MPI_COMMAND[@]}" "${MPI_UNBOUND[@]}" -n 3 "$toise" nodes --unit rank "${tiny[@]}" --timeout 3 --inject hang:rank=1,step=7 \
    --out "$work/hang.jsonl"
[ $code = 4 ] || fail "a rank that hangs: exit $code, not 4: $(cat "$work/err")"
says '^  rank 1 on .*   unreachable: rank 1 .* has made no progress for'
grep -q '"rounds":7,"asked":20,.*"verdict":"unreachable"' "$work/hang.jsonl" || fail "a rank that hangs: the record lacks it: $(cut -c1-400 "$work/hang.jsonl")"
# Four hosts: of nodes the lie and the link are found by name.
if hosts 4; then
    faults=bitflip:node=1,step=3 rounds=6
    if check_full 'a slow link of a host'; then faults+=+link:node=3,factor=20 rounds=24; fi
    call env MAP=node scripts/netns-hosts.sh run 4 "$toise" nodes "${tiny[@]}" --rounds $rounds --bytes 65536 \
        --inject "$faults" --out "$work/hosts.jsonl"
    [ $code = 1 ] || fail "four hosts: exit $code: $(cat "$work/out" "$work/err")"
    says '4 nodes, 4 ranks' && says '^  host2   wrong: .* from round 4 on' && says '^--exclude=host(2|\[.*\])$'
    [ -z "${CHECK_FULL-}" ] || named link 1900 '^  host4   slow \(link\): link '
    valid "$work/hosts.jsonl"
fi
valid "$out" "$work/hang.jsonl" "$work/lost.jsonl"
exit $bad
