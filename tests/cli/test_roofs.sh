#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# toise roofs: its page and its record, whose rates follow from their samples; a cap on the instruction set, too little
# memory, and flags that are refused.
. "$(dirname "$0")/../prelude.sh"
. scripts/mpi.sh
unset TOISE_ISA
command=(roofs)
quick=(--seconds 0.01 --ci 1)

# ends WORDS... -- COMMAND...: exit 0, or 3 on a noisy machine, and the page has the words
ends() {
    local words=()
    while [ "$1" != -- ]; do words+=("$1") && shift; done
    shift
    call "$@"
    [ $code = 0 ] || [ $code = 3 ] || fail "$*: exit $code: $(cat "$work/err")"
    for word in "${words[@]}"; do grep -qE -- "$word" "$work/out" || fail "$*: the page lacks \"$word\": $(cut -c1-200 "$work/out")"; done
}

ends '^toise roofs   .* 1 thread ' '^peak, GFLOP/s  *1 t ' '^f32 ref ' '^L1 copy ' '^memory triad .* [0-9.]+ ' \
    '^ *[0-9.]+ GFLOP/s  measured f32 peak, [a-z0-9]+, 1 thread' '^ *[0-9.]+ GB/s  *measured read bandwidth beyond the caches, 1 thread' \
    -- "$toise" roofs "${quick[@]}" --threads 1 --out "$work/one.jsonl"
TOISE_ISA=ref ends '^[{].*"kind":"roofs"' -- "$toise" roofs "${quick[@]}" --threads 2 --json --out "$work/two.jsonl"
[ "$(wc -l <"$work/out")" = 1 ] || fail '--json: not one line on standard output'
grep -q '^f32 ref ' "$work/err" || fail 'with --json the page goes to standard error'
! grep -q '"name":"measured f32 peak, avx' "$work/two.jsonl" || fail 'TOISE_ISA=ref: another instruction set was measured'
valid "$work/one.jsonl" "$work/two.jsonl"

# Rates are work over the median of their own samples: two threads have samples of their own, and no sum. Each fraction
# names its roof, and each row its threads.
consistent() {
    /usr/bin/env python3 - "$@" <<'END'
import json, statistics, sys
def fractions(o, path=""):
    if isinstance(o, dict):
        for k, v in o.items():
            if k == "fraction" and not o.get(k + "_of"): print(f"{path}.{k} names no roof")
            fractions(v, f"{path}.{k}")
    elif isinstance(o, list):
        for v in o: fractions(v, path)
for path in sys.argv[1:]:
    r = json.loads(open(path).readline())
    rows, samples = r["result"]["rows"], r["samples"]["rows"]
    fractions(r["result"])
    if len(rows) != len(samples) or not rows: print(f"{len(rows)} rows, {len(samples)} samples")
    if r["result"].get("lower_bound", False) != (r["machine"]["unused_matrix_unit"] is not None): print("lower_bound is wrong")
    work = {}
    for row, own in zip(rows, samples):
        key, name, n = "flop" if row["kind"] == "peak" else "byte", row["name"], row["threads"]
        rate, call = row[key + "_per_s"], row["call_flop" if key == "flop" else "call_bytes"]
        if f", {n} thread" not in name: print(f"{name}: does not name its {n} threads")
        if not row[key + "_per_s_low"] <= rate <= row[key + "_per_s_high"]: print(f"{name}: {rate} is outside its interval")
        if rate > row["highest_" + key + "_per_s"] * (1 + 1e-9): print(f"{name}: {rate} is above the highest sample")
        if len(own["call_s"]) != len(own["marks"]) or not own["call_s"]: print(f"{name}: {len(own['call_s'])} samples")
        if r["machine"]["cpu_quota"] is None and abs(rate * statistics.median(own["call_s"]) / call - 1) > 1e-6:
            print(f"{name}: {rate} is not {call} over the median of its samples")
        if row["kind"] == "peak": work[row["dtype"], row["variant"], n] = call
    for (dtype, variant, n), call in work.items():
        if n > 1 and call != n * work[dtype, variant, 1]: print(f"{dtype} {variant}: {n} threads do {call} a call")
    heads = list(r["result"]["peak"].values()) + list(r["result"]["memory"].values())
    most = max(row["threads"] for row in rows)
    for head in heads:
        if f", {most} thread" not in head["name"]: print(f"headline {head['name']} is not of all {most} threads")
END
}
if command -v python3 >/dev/null; then
    wrong=$(consistent "$work/one.jsonl" "$work/two.jsonl" 2>&1)
    [ -z "$wrong" ] || fail "the record: $wrong"
else
    echo 'SKIP: consistency of the record: python3 is not installed'
fi

# What does not fit into memory is skipped with the reason; the rest is measured.
if (ulimit -v 400000 && "$toise" --version >/dev/null 2>&1); then # sanitizers need more
    ends '^SKIP measured .* bandwidth beyond the caches, 1 thread: memory: cannot reserve' '^f32 ref .* [0-9.]+ ' -- \
        bash -c 'ulimit -v 400000; exec "$@"' - "$toise" roofs "${quick[@]}" --threads 1
fi

cat >"$work/refused" <<'END'
unexpected argument|all
--threads|--threads 0
--seconds|--seconds 0
--ci|--ci 200%
--out|--out
unknown flag|--pass copy
END
refused_lines "$work/refused"
TOISE_ISA=sse refused 'TOISE_ISA=sse: unknown instruction set' "$toise" roofs
if command -v "${MPIRUN:-mpirun}" >/dev/null; then
    mpi_command
    call "${MPI_COMMAND[@]}" "${MPI_UNBOUND[@]}" -n 2 "$toise" roofs "${quick[@]}"
    [ $code = 2 ] && grep -q 'toise roofs is one process, not 2 ranks' "$work/err" || fail "two ranks: exit $code: $(cat "$work/err")"
fi
exit $bad
