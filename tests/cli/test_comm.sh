#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 300
# toise comm: table, records and CSV of every operation under two ranks, groups on two hosts, the message for one rank,
# what is refused and how.
. "$(dirname "$0")/../prelude.sh"
. scripts/mpi.sh
no_grace
export OMP_NUM_THREADS=1

call "$toise" comm --help
[ $code = 0 ] && grep -q -e --bytes "$work/out" && grep -q 'mpirun -n P toise comm' "$work/out" || fail '--help'
refused 'mpirun .*-n 2 toise comm' "$toise" comm
refused 'mpirun .*-n 2 toise comm' "$toise" comm --out "$work/none.jsonl"
refused 'op.*all_scatter.*known: all, all_reduce, reduce_scatter, all_gather' "$toise" comm --op all_gather,all_scatter
refused 'op.*the list is empty' "$toise" comm --op ,
refused 'group.*node.*known: all, intra, inter' "$toise" comm --group node
refused 'bytes.*1MB' "$toise" comm --bytes 64KiB,1MB
refused 'bytes.*multiple of 4' "$toise" comm --bytes 1026
refused 'bytes.*the list is empty' "$toise" comm --bytes ,
refused 'bytes.*more than 128' "$toise" comm --bytes "$(printf '64,%.0s' {1..140})"
refused 'begin.*6 is not a multiple of 4' "$toise" comm -b 6
refused 'begin.*"-8" is not a size' "$toise" comm --begin -8
refused 'end.*"64MB" is not a size' "$toise" comm -b 8 -e 64MB
refused 'end.*8 bytes are less than the 16 of --begin' "$toise" comm -b 16 -e 8
refused 'step.*"0" is not a size' "$toise" comm -i 0
refused 'step.*more than 128 sizes' "$toise" comm -b 8 -e 64M -i 4
refused 'factor.*1 is out of range' "$toise" comm -f 1
refused 'leave out one' "$toise" comm -f 2 -i 8
refused 'leave out one' "$toise" comm --bytes 64 -b 8
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
refused 'reduce_scatter over 2 ranks needs a float for each: give a size of at least 8' "${two[@]}" "$toise" comm --op all --bytes 4
refused 'on one node, so there is no group inter' "${two[@]}" "$toise" comm --group all,inter --bytes 64
refused 'is a folder: give --csv a file in it' "${two[@]}" "$toise" comm --csv "$work"
call "${two[@]}" "$toise" comm --model tiny-gpt2 "${quick[@]}" --out "$work/comm.jsonl"
done_well 'the table'
for words in '2 ranks of 1 thread on 1 node' '^ *16384 *4096 *float *sum *-1 ' 'busbw *#wrong *i_min *i_max *i_p99 *i_cv%' 'keeps$' \
    '^# all_reduce, in-place, group all: 2 ranks on 1 node' '^# .*fit' '% of its passes over memory'; do
    grep -q "$words" "$work/out" || fail "the table lacks \"$words\": $(cat "$work/out")"
done
case "$(mpirun --version 2>/dev/null)" in
*'Open MPI'*) grep -q '^mpi  *Open MPI.*: pml [a-z0-9]' "$work/out" || fail "the page does not name MPI's components" ;;
esac
lines=$(wc -l <"$work/comm.jsonl")
[ "$lines" -ge 4 ] || fail "$lines records"
grep -vq '"kind":"comm"' "$work/comm.jsonl" && fail 'a record is not of kind comm'
[ "$(grep -c '"op":"all_reduce"' "$work/comm.jsonl")" = $((lines - 2)) ] || fail 'not one record a size'
[ "$(grep -c '"op":"fit","of":"all_reduce"' "$work/comm.jsonl")" = 1 ] || fail 'not one fit'
for key in schema kind status time version launch machine layout samples bytes time_s time_s_low time_s_high algbw_byte_per_s \
    busbw_byte_per_s wrong calls interference redop root place group group_ranks count min_s max_s p99_s cv mpi_components; do
    head -n 1 "$work/comm.jsonl" | grep -q "\"$key\":" || fail "the record lacks \"$key\""
done
tail -n 1 "$work/comm.jsonl" | grep -q '"op":"share","matmul":[0-9.]*,"pass":[0-9.]*' || fail 'no record of what ranks leave each other'

call "${two[@]}" "$toise" comm --bytes 64,24MiB "${quick[@]}" --json --out "$work/comm.jsonl"
done_well '--json'
[ "$(wc -l <"$work/out")" = 3 ] && ! grep -qv '^{.*}$' "$work/out" || fail "--json: $(cut -c1-200 "$work/out")"
sed -n 2p "$work/out" | grep -q '"hidden":.*"wrong":0' || fail 'a large sum was not measured beside compute'
grep -q 'busbw' "$work/err" || fail 'with --json the table goes to standard error'
[ "$(wc -l <"$work/comm.jsonl")" = $((lines + 3)) ] || fail '--out did not append'

# every operation, by nccl-tests' short flags; all results are right; the table again as CSV
all='all_reduce reduce_scatter all_gather broadcast all_to_all p2p bidirectional'
call "${two[@]}" "$toise" comm --op all -b 4 -e 4K -f 4 --seconds 0.01 --ci 1 --threads 1 --out "$work/all.jsonl" --csv "$work/all.csv"
done_well 'every operation'
for op in $all; do
    blocks=0
    case $op in reduce_scatter | all_gather | all_to_all) blocks=1 ;; esac
    [ "$(grep -c "\"op\":\"$op\"" "$work/all.jsonl")" = $((6 - blocks)) ] || fail "$op: not a record for each size"
    grep "\"op\":\"$op\"" "$work/all.jsonl" | grep -v '"wrong":0' && fail "$op: wrong results"
    [ "$(grep -c "^$op,.*,float,.*,0,.*\(PASSED\|INCONCLUSIVE\)$" "$work/all.csv")" = $((6 - blocks)) ] || fail "$op: not in the CSV"
    grep -q "\"of\":\"$op\"" "$work/all.jsonl" || fail "$op: no fit"
done
[ "$(wc -l <"$work/all.csv")" = 40 ] && [ "$(awk -F, '{ print NF }' "$work/all.csv" | sort -u)" = 21 ] || fail "the CSV: $(cat "$work/all.csv")"
grep -q '^all_gather,in,all,2,1,4096,512,' "$work/all.csv" || fail 'the count of an all-gather is per rank'
grep -q '"op":"share"' "$work/all.jsonl" || fail 'no record of what ranks leave each other'

# within nodes and between them
hosts 2 || exit $bad
MAP=node call scripts/netns-hosts.sh run 4 "$toise" comm --op all_gather,p2p --bytes 64,4K --seconds 0.01 --ci 1 --threads 1 --json
done_well 'two hosts'
for group in 'all","group_ranks":4,"group_nodes":2,"groups":1' 'intra","group_ranks":2,"group_nodes":1,"groups":2' \
    'inter","group_ranks":2,"group_nodes":2,"groups":1'; do
    [ "$(grep -c "\"group\":\"$group.*\"wrong\":0" "$work/out")" = 4 ] || fail "two hosts: not 4 records of group $group"
done
grep -q '^# p2p, out-of-place, group intra: 2 at once, each of 2 ranks on 1 node' "$work/err" || fail 'two hosts: no such group on the page'
exit $bad
