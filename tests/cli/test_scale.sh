#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 600
# toise scale on real ranks of this machine, each counted as a node: every point is checked against the smallest one,
# runs are records at once, the order is random, and what ends it early loses nothing. The plan's node-hours are those
# worked out by hand.
. "$(dirname "$0")/../prelude.sh"
. scripts/mpi.sh
no_grace
export OMP_NUM_THREADS=1
unset TOISE_ISA OPENBLAS_CORETYPE SLURM_JOB_ID
limit=200
out=$work/records.jsonl
tiny=(--unit rank --workload strong-tiny --warmup 0 --steps 2 --repeats 2)
json() { # json EXPRESSION FILE: of its lines as the list r
    python3 -c 'import json, sys
r = [json.loads(line) for line in open(sys.argv[2])]
print(eval(sys.argv[1]))' "$1" "$2"
}
is() { # is VALUE EXPRESSION FILE
    local got
    got=$(json "$2" "$3") || got=error
    [ "$got" = "$1" ] || fail "$2: $got, not $1"
}

# 16,384 tokens a step at 16,384 tokens/s: 1 s on one node, 0.5 s on two, 0.25 s on four. Two repeats of 1 + 4 steps, and
# on several ranks 2 without communication: 10 + 7 + 3.5 s. Jobs of their own: 1 x 10 + 2 x 7 + 4 x 3.5 node-seconds.
run 0 scale --workload strong-tiny --dry-run --units 4 --rate 16384 --repeats 2 --warmup 1 --steps 4
says '^at least +20\.5 s, 0\.02278 node-hours of this allocation; 0\.01056 as separate jobs$'
run 0 scale --workload strong-tiny --dry-run --units 6 --rate 16384 --json
is '[None, None, None, 6]' '[p["n"] if "skipped" in p else None for p in r[0]["scaling"]["points"]]' "$work/out"
is 512 'r[0]["config"]["global_batch"]' "$work/out"
run 0 scale --mode weak --workload weak-tiny --dry-run --units 6 --rate 1000 --json
is '[64, 128, 256, 384]' '[p["global_batch"] for p in r[0]["scaling"]["points"]]' "$work/out"
# Without a rate a short step is measured.
run 0 scale --workload strong-tiny --dry-run --units 2
says '^rate +from a short step'
# A workload's batch grows with the nodes of a job of its own, too.
run 0 train --workload weak-tiny --dry-run --world 4 --json
is 256 'r[0]["config"]["global_batch"]' "$work/out"
run 0 train --workload strong-tiny --dry-run --world 4 --json
is 512 'r[0]["config"]["global_batch"]' "$work/out"

cat >"$work/refused" <<'END'
1 node: a curve needs several points | scale
--mode weak: --workload strong-s is for strong scaling | scale --mode weak --workload strong-s
--workload node-s is not for scaling curves | scale --workload node-s
unknown "both"; known: strong or weak | scale --mode both
--counts: 4 ranks, but this run has 1 | scale --unit rank --counts 1,4
"two" is not a whole number | scale --counts 1,two
--rate needs --dry-run | scale --rate 5
--units needs --dry-run | scale --units 5
--from and --workload cannot be combined | scale --from results/reference --workload strong-s
need --from | scale results/reference
cannot read: No such file | scale --from none.jsonl
none.jsonl | scale --unit rank --counts 1 --comm none.jsonl
no point can run: 1 rank: 512 sequences do not divide over 1 rank in micro-batches of 1000 | scale --unit rank --counts 1 --mbs 1000
--counts: 1 is given twice | scale --unit rank --counts 1,1
END
command=()
refused_lines "$work/refused"

# One rank, told to stop after its first run: the record stays, and a curve says why it ended.
"$toise" scale "${tiny[@]}" --counts 1 --repeats 200 --out "$out" >"$work/out" 2>"$work/err" </dev/null &
child=$!
for ((i = 0; i < 600; i++)); do
    [ ! -s "$out" ] || break
    sleep 0.1
done
kill -TERM $child
code=0
wait $child || code=$?
[ $code = 3 ] || fail "after SIGTERM: exit $code, not 3: $(tail -n 3 "$work/out" "$work/err")"
is train 'r[0]["kind"]' "$out"
is "{'mode': 'strong', 'unit': 'rank', 'n': 1, 'repeat': 1, 'order': 1}" 'r[0]["scaling"]' "$out"
is True '"SIGTERM" in r[-1]["why"] and r[-1]["kind"] == "scale"' "$out"

if ! command -v "${MPIRUN:-mpirun}" >/dev/null; then
    echo 'SKIP: curves on several ranks: mpirun is not installed'
    exit $bad
fi
mpi_command
within=()
launched() { # launched CODES RANKS ARGUMENTS...: its output in $work/out, its records in $out
    local codes=$1 ranks=$2
    shift 2
    rm -f "$out"
    call "${MPI_COMMAND[@]}" "${MPI_UNBOUND[@]}" -n "$ranks" "${within[@]}" "$toise" scale "$@" --out "$out"
    [[ " $codes " = *" $code "* ]] || fail "scale $*: exit $code, not $codes: $(tail -n 5 "$work/out" "$work/err")"
}
trains='[x for x in r if x["kind"] == "train"]'

# Strong: three ranks do not divide the batch; each run but the base's first is compared with it.
launched '0 3' 3 "${tiny[@]}" --counts 1,2,3
is "[(1, 512), (1, 512), (2, 512), (2, 512)]" \
    "sorted((x['scaling']['n'], x['config']['global_batch']) for x in $trains)" "$out"
is '1 base' "'%d %s' % (sum('base' not in x['result']['residual'] for x in $trains), 'base' if 'base' not in r[0]['result']['residual'] and r[0]['scaling']['n'] == 1 else '')" "$out"
is True "all(x['result']['residual'].get('base', 0) < 4 for x in $trains)" "$out"
is scale 'r[-1]["kind"]' "$out"
grep -q '3.*512 sequences do not divide over 3 ranks.*nearest that divide are 2 and 4' "$work/out" || fail 'the page lacks the skipped point'

# A link that garbles long messages: the gate's are short, so only the comparison with the base sees it. The point has no
# rate, and the answer is no.
cat >"$work/garble.c" <<'END'
#include <string.h>
int PMPI_Isend(const void *data, int count, void *type, int to, int tag, void *comm, void *request);
int MPI_Isend(const void *data, int count, void *type, int to, int tag, void *comm, void *request) {
    if (count > 200000) memset((void *)data, 0, (size_t)count / 4);
    return PMPI_Isend(data, count, type, to, tag, comm, request);
}
END
if ! cc -shared -fPIC -o "$work/garble.so" "$work/garble.c" 2>"$work/err" || grep -q asan <(ldd "$toise"); then
    echo 'SKIP: a link that garbles: no compiler, or a sanitizer that must be loaded first'
else
    within=(env "LD_PRELOAD=$work/garble.so")
    launched 1 2 "${tiny[@]}"
    within=()
    is '[(1, False, True), (1, False, True), (2, True, False), (2, True, False)]' \
        "sorted((x['scaling']['n'], x['status'] == 'FAILED', 'tokens_per_s' in x['result']) for x in $trains)" "$out"
    is True "all('curve\'s base' in x['why'] for x in $trains if x['status'] == 'FAILED')" "$out"
fi

# Weak, in BF16: the batch grows, and the base's samples have the base's loss.
launched '0 3' 2 --unit rank --workload weak-tiny --precision bf16 --warmup 0 --steps 2 --repeats 2
is "[(1, 64), (1, 64), (2, 128), (2, 128)]" \
    "sorted((x['scaling']['n'], x['config']['global_batch']) for x in $trains)" "$out"
is True "all(x['result']['residual'].get('base', 0) < 4 for x in $trains)" "$out"
# The same curve again, from the file.
run $code scale --from "$out"

# With the time of all-reduces in the file, the larger point is predicted there before it runs, and scored afterwards.
rm -f "$out"
call "${MPI_COMMAND[@]}" "${MPI_UNBOUND[@]}" -n 2 "$toise" comm --bytes 64,64KiB,1MiB --seconds 0.01 --ci 1 --threads 1 --out "$out"
call "${MPI_COMMAND[@]}" "${MPI_UNBOUND[@]}" -n 2 "$toise" scale --unit rank --workload weak-tiny --warmup 0 --steps 2 \
    --repeats 1 --out "$out"
is "[('train', 1), ('scale', 2), ('train', 2), ('scale', None)]" \
    "[(x['kind'], x['scaling']['n'] if 'scaling' in x else x['result'].get('predictions', [{'n': None}])[0]['n']) for x in r if x['kind'] in ('train', 'scale')]" "$out"
is 1 "r[-1]['result']['score']['ledger']['n']" "$out"

# Separate jobs measure the same points.
rm -f "$out"
for ranks in 1 2; do
    call "${MPI_COMMAND[@]}" "${MPI_UNBOUND[@]}" -n $ranks "$toise" train --workload strong-tiny --steps 2 --warmup 0 --out "$out"
done
call "$toise" scale --from "$out" --json
is '[1, 2]' '[p["n"] for p in r[0]["result"]["points"]]' "$work/out"

# Two nodes of two ranks, dealt out in turn: groups are whole nodes. Nodes of different size are no curve.
if hosts 2; then
    rm -f "$out"
    call env MAP=node scripts/netns-hosts.sh run 4 "$toise" scale --workload weak-tiny --threads 1 --warmup 0 --steps 1 \
        --repeats 2 --out "$out"
    [[ "$code" = [03] ]] || fail "two nodes: exit $code: $(tail -n 5 "$work/out" "$work/err")"
    is "[(1, 1, 2, 1), (1, 1, 2, 1), (2, 2, 4, 2), (2, 2, 4, 2)]" \
        "sorted((x['scaling']['n'], x['layout']['nodes'], x['layout']['world'], len(set(p['host'] for p in x['result']['per_rank']))) for x in $trains)" "$out"
    call env MAP=slot scripts/netns-hosts.sh run 3 "$toise" scale --workload weak-tiny --threads 1
    [ "$code" = 2 ] && grep -q 'nodes have 1 to 2 ranks: start the same number on each' "$work/out" "$work/err" ||
        fail "uneven nodes: exit $code: $(tail -n 5 "$work/out" "$work/err")"
fi

# A budget that one run spends: the curve is of that.
launched 3 2 "${tiny[@]}" --budget 1
is 1 "len($trains)" "$out"
is True '"the budget of 1 s ended it after 1 of 4 runs" in r[-1]["why"]' "$out"
exit $bad
