#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 300
# toise comm: table and records under two ranks, the message for one rank, what is refused and how.
. "$(dirname "$0")/../prelude.sh"
. scripts/mpi.sh
export OMP_NUM_THREADS=1


call "$toise" comm --help
[ $code = 0 ] && grep -q -e --bytes "$work/out" && grep -q 'mpirun -n P toise comm' "$work/out" || fail '--help'
refused 'mpirun .*-n 2 toise comm' "$toise" comm
refused 'mpirun .*-n 2 toise comm' "$toise" comm --out "$work/none.jsonl"
refused 'op.*all_gather.*all_reduce' "$toise" comm --op all_gather
refused 'bytes.*1MB' "$toise" comm --bytes 64KiB,1MB
refused 'bytes.*multiple of 4' "$toise" comm --bytes 1026
refused 'bytes.*the list is empty' "$toise" comm --bytes ,
refused 'bytes.*more than 32' "$toise" comm --bytes "$(printf '64,%.0s' {1..40})"
refused 'leave out one' "$toise" comm --bytes 64 --model tiny-gpt2
refused 'tiny-gpt9' "$toise" comm --model tiny-gpt9
refused unknown "$toise" comm --size 4

if ! command -v "${MPIRUN:-mpirun}" >/dev/null; then
    echo 'SKIP: toise comm of two ranks: mpirun is not installed'
    exit $bad
fi
mpi_command
two=("${MPI_COMMAND[@]}" "${MPI_UNBOUND[@]}" -n 2)
quick=(--seconds 0.1 --ci 1 --threads 1)
done_well() { [ $code = 0 ] || [ $code = 3 ] || fail "$1: exit $code: $(cat "$work/out" "$work/err")"; }

refused 'bytes.*1MB' "${two[@]}" "$toise" comm --bytes 1MB
refused 'need .* are free' "${two[@]}" "$toise" comm --bytes 1024GiB
call "${two[@]}" "$toise" comm --model tiny-gpt2 "${quick[@]}" --out "$work/comm.jsonl"
done_well 'the table'
for words in '2 ranks of 1 thread on 1 node' '^16.0 KiB  *16384 ' 'busbw GB/s' 'keeps$' '% of its passes over memory'; do
    grep -q "$words" "$work/out" || fail "the table lacks \"$words\": $(cat "$work/out")"
done
lines=$(wc -l <"$work/comm.jsonl")
[ "$lines" -ge 4 ] || fail "$lines records"
grep -vq '"kind":"comm"' "$work/comm.jsonl" && fail 'a record is not of kind comm'
[ "$(grep -c '"op":"all_reduce"' "$work/comm.jsonl")" = $((lines - 1)) ] || fail 'not one record a size'
for key in schema kind status time version launch machine layout samples bytes time_s time_s_low time_s_high algbw_byte_per_s \
    busbw_byte_per_s wrong calls interference; do
    head -n 1 "$work/comm.jsonl" | grep -q "\"$key\":" || fail "the record lacks \"$key\""
done
tail -n 1 "$work/comm.jsonl" | grep -q '"op":"share","matmul":[0-9.]*,"pass":[0-9.]*' || fail 'no record of what ranks leave each other'

call "${two[@]}" "$toise" comm --bytes 64,24MiB "${quick[@]}" --json --out "$work/comm.jsonl"
done_well '--json'
[ "$(wc -l <"$work/out")" = 3 ] && ! grep -qv '^{.*}$' "$work/out" || fail "--json: $(cut -c1-200 "$work/out")"
sed -n 2p "$work/out" | grep -q '"hidden":.*"wrong":0' || fail 'a large sum was not measured beside compute'
grep -q 'busbw' "$work/err" || fail 'with --json the table goes to standard error'
[ "$(wc -l <"$work/comm.jsonl")" = $((lines + 3)) ] || fail '--out did not append'
exit $bad
