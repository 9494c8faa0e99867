#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# scripts/scaling.sh [--table] BUILD FOLDER: measures the scaling curves that one machine can show, with predictions:
#   ranks.jsonl       strong-tiny on 1 to 2 ranks of this machine
#   RATE.jsonl, .svg  strong-tiny on 1, 2 and 4 hosts of scripts/netns-hosts.sh, whose links have this rate
# Each file also has the records of toise comm that the ledger's model needs. RATES (1gbit 100mbit 10mbit) and REPEATS (5)
# change it. The hosts are dealt the machine's cores; where these are too few, the larger points show only the network.
# About ten minutes. FOLDER/*.txt has the fits. Ends with a table of the points; --table only prints that.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/mpi.sh
only=measure
[ "${1-}" != --table ] || { only=table; shift; }
[ $# = 2 ] || { sed -n '3,8s/^# //p' "$0" >&2 && exit 2; }
toise=$(realpath -m "$1/toise") out=$2
[ -x "$toise" ] || { echo "scaling.sh: no $toise: run make" >&2 && exit 2; }
RATES=${RATES-1gbit 100mbit 10mbit} REPEATS=${REPEATS-5}
export OMP_NUM_THREADS=1
hosts() { TOISE_HOSTS=$out/hosts scripts/netns-hosts.sh "$@"; }
# A host takes itself for a whole machine: without a core of its own, every rank would pin itself to the first.
# shellcheck disable=SC2016 # the hosts expand it
on_hosts() { hosts run "$1" bash -c 'name=$(hostname) && exec taskset -c $(((${name#host} - 1) % $(getconf _NPROCESSORS_ONLN))) "$@"' - "${@:2}"; }
mkdir -p "$out"

# curve NAME RANKS LAUNCH...: comm records of all ranks, then the curve; LAUNCH takes a number of ranks and a command
curve() {
    local name=$1 n=$2 code=0
    shift 2
    [ ! -e "$out/$name.jsonl" ] || { echo "scaling.sh: $out/$name.jsonl exists" >&2 && exit 2; }
    "$@" "$n" "$toise" comm --op all_reduce --bytes 64,16K,512K --seconds 2 --threads 1 --out "$out/$name.comm" >&2 || code=$?
    case $code in 0 | 3) ;; *) exit $code ;; esac
    code=0
    "$@" "$n" "$toise" scale --workload strong-tiny --unit "$unit" --threads 1 --repeats "$REPEATS" --comm "$out/$name.comm" \
        --svg "$out/$name.svg" --out "$out/$name.jsonl" >"$out/$name.txt" || code=$?
    cat "$out/$name.comm" >>"$out/$name.jsonl"
    rm "$out/$name.comm"
    case $code in 0 | 3) ;; *) exit $code ;; esac
}
# The points of a curve, each with the rate that the ledger's model predicted before it ran.
rows() {
    { "$toise" scale --from "$out/$1.jsonl" || [ $? = 3 ]; } | awk -v name="$1" '
        /^(nodes|ranks) .*tokens\/s/ { on = 1; next }
        $1 + 0 < 1 { on = 0 }
        on { n[++count] = $1; rate[count] = $2 " " $3 " " $4; rest[count] = $6 " | " $9 " " $10 " " $11 " | " $12 }
        /^predicted .* by ledger/ { said[$4] = sprintf("%.0f [%.0f, %.0f]", $9, substr($11, 2), $12) }
        END {
            for (i = 1; i <= count; i++)
                print "| " name " | " n[i] " | " rate[i] " | " (n[i] in said ? said[n[i]] : "-") " | " rest[i] " |"
        }'
}
table() {
    local name
    echo '| curve | n | tokens/s | predicted | speed-up | efficiency | exposed |'
    echo '|---|---|---|---|---|---|---|'
    for name in ranks $RATES; do rows "$name"; done
}
[ $only = measure ] || { table && exit; }

unit=rank
curve ranks 2 mpi_launch
unit=node
for rate in $RATES; do
    hosts up 4 --rate "$rate" >&2
    trap 'hosts down' EXIT
    curve "$rate" 4 on_hosts
    hosts down
    trap - EXIT
done
table
