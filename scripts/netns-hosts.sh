#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Several hosts on this machine: namespaces with names, addresses, processes and /dev/shm of their own, joined by a
# switch. Ranks of one host share memory, ranks of two speak TCP over links with a rate and a delay.
#   up N [--rate RATE] [--delay TIME]  makes host1 to hostN; 1gbit, 500us: as tc writes them, of each link and direction
#   run RANKS COMMAND...   COMMAND in RANKS ranks, host by host; MAP=node deals them out in turn. Ends as mpirun does
#   in HOST COMMAND...     COMMAND on one host
#   link HOST up|down      plugs its cable in, or pulls it out
#   kill HOST              the host is gone at once, as without power
#   status                 lists them; exit 1: there are none
#   down                   removes them, with all that runs there
# TOISE_HOSTS is the folder of the hosts, so several sets may be up. Needs root and iproute2, run also Open MPI. Where they
# lack, or the kernel cannot do it, it prints "SKIP: hosts: why" and exits 77.
set -euo pipefail
. "$(dirname "$(realpath "$0")")/namespaces.sh"

chosen=${TOISE_HOSTS-}
dir=$(realpath -m "${TOISE_HOSTS:-${XDG_RUNTIME_DIR:-/tmp}/toise-hosts-$(id -u)}")
NET=10.77 # in namespaces of their own, so it does not matter what else has these addresses

usage() {
    sed -n '5,13s/^# //p' "$0" >&2
    exit 2
}
refuse() {
    echo "netns-hosts.sh: $*" >&2
    exit 2
}
skip() {
    space_close "$dir"
    echo "SKIP: hosts: $*"
    exit 77
}
on() { (space_enter "$dir" "$@"); } # on HOST COMMAND...
hosts() { sed -n "s/^$NET.* \(host.*\)/\1/p" "$dir/hosts"; }
address() { echo "$NET.$(($1 / 250)).$(($1 % 250 + 1))"; } # address NUMBER

# limit HOST DEVICE RATE DELAY: what leaves HOST by DEVICE
limit() {
    local host=$1 device=$2 rate=$3 delay=$4 at=(root handle 1:)
    if [ -n "$rate" ]; then
        # The bucket holds what the link carries in 2 ms, and a packet at least.
        on "$host" tc qdisc add dev "$device" root handle 1: tbf rate "$rate" burst "$(burst "$rate")" latency 100ms \
            2>>"$dir/tc.log" || skip "this kernel cannot limit a link to $rate (sch_tbf): $(tail -n 1 "$dir/tc.log")"
        at=(parent 1:1 handle 2:)
    fi
    [ -z "$delay" ] || on "$host" tc qdisc add dev "$device" "${at[@]}" netem delay "$delay" limit 100000 \
        2>>"$dir/tc.log" || skip "this kernel cannot delay packets by $delay (sch_netem): $(tail -n 1 "$dir/tc.log")"
}
burst() { # burst RATE: bytes
    awk -v rate="$1" 'BEGIN {
        unit = rate; sub(/^[0-9.]+/, "", unit)
        bits = rate * (unit ~ /^[gG]/ ? 1e9 : unit ~ /^[mM]/ ? 1e6 : unit ~ /^[kK]/ ? 1e3 : 1)
        bytes = bits / 8 * 0.002
        print int(bytes < 16384 ? 16384 : bytes)
    }'
}

up() {
    local n=${1-} rate='' delay='' why i name
    [[ $n =~ ^[1-9][0-9]{0,2}$ ]] || refuse "up: \"$n\" is not a number of hosts; take 1 to 999"
    shift
    while [ $# -gt 0 ]; do
        case $1 in
        --rate) rate=${2-} && [[ $rate =~ ^[0-9]+(\.[0-9]+)?[kmg]?bit$ && $rate =~ [1-9] ]] || refuse "--rate: \"$rate\"; write it as 1gbit or 200mbit" ;;
        --delay) delay=${2-} && [[ $delay =~ ^[0-9]+(\.[0-9]+)?(us|ms|s)$ && $delay =~ [1-9] ]] || refuse "--delay: \"$delay\"; write it as 500us or 2ms" ;;
        *) refuse "up: unknown flag $1; there are --rate and --delay" ;;
        esac
        shift 2
    done
    why=$(space_missing)
    [ -n "$why" ] || command -v ip >/dev/null || why='ip (iproute2) is not installed'
    [ -n "$why" ] || [ -z "$rate$delay" ] || command -v tc >/dev/null || why='tc (iproute2) is not installed'
    [ -z "$why" ] || { echo "SKIP: hosts: $why" && exit 77; }
    space_folder "$dir"
    trap 'space_close "$dir"' EXIT
    trap 'exit 130' INT TERM

    {
        echo '127.0.0.1 localhost'
        echo "$(address 0) switch"
        for ((i = 1; i <= n; i++)); do echo "$(address "$i") host$i"; done
    } >"$dir/hosts"
    space_open "$dir" switch --net --
    on switch ip link set lo up
    on switch ip link add bridge type bridge 2>>"$dir/ip.log" || skip "no virtual switch (bridge): $(tail -n 1 "$dir/ip.log")"
    on switch ip address add "$(address 0)/16" dev bridge
    on switch ip link set bridge up
    for ((i = 1; i <= n; i++)); do
        name=host$i
        space_open "$dir" "$name" --net --
        plug "$name" "$(address "$i")" "$rate" "$delay"
    done
    trap - EXIT INT TERM
    printf '%s\n' "$rate" "$delay" >"$dir/links"
    status
    echo "ranks:  ${chosen:+TOISE_HOSTS=$dir }scripts/netns-hosts.sh run $n COMMAND..."
    echo "end:    ${chosen:+TOISE_HOSTS=$dir }scripts/netns-hosts.sh down"
}

# plug HOST ADDRESS RATE DELAY: its cable to the switch. The far end is made here, where all processes are seen, and moved.
plug() {
    local host=$1 pid switch
    pid=$(space_pid "$dir" "$host") switch=$(space_pid "$dir" switch)
    nsenter --target "$switch" --net ip link add "$host" type veth peer name eth0 netns "$pid" 2>>"$dir/ip.log" ||
        skip "no virtual cables (veth): $(tail -n 1 "$dir/ip.log")"
    on switch ip link set "$host" master bridge up
    on "$host" ip link set lo up
    on "$host" ip address add "$2/16" dev eth0
    on "$host" ip link set eth0 up
    limit "$host" eth0 "$3" "$4"
    limit switch "$host" "$3" '' # the delay of one direction is that of the sender
}

status() {
    local host rate delay
    { read -r rate && read -r delay; } <"$dir/links"
    for host in $(hosts); do
        if [ -z "$(space_pid "$dir" "$host")" ]; then
            echo "$host  gone"
        else
            echo "$host  $(sed -n "s/ $host\$//p" "$dir/hosts")  $(link_state "$host")"
        fi
    done
    echo "links:  ${rate:-as fast as this machine}${delay:+, $delay one way}"
}
link_state() { on switch ip -brief link show dev "$1" | awk '{ print tolower($2) }'; }

host_named() { # host_named NAME: exits 2 if there is no such host
    hosts | grep -xF -- "${1-}" >/dev/null || refuse "\"${1-}\" is no host; there are $(hosts | xargs)"
}

run() {
    local ranks=${1-} n each list
    [[ $ranks =~ ^[1-9][0-9]{0,4}$ ]] && [ $# -gt 1 ] || usage
    shift
    grep -q 'Open MPI' <<<"$(mpirun --version 2>/dev/null)" || { echo 'SKIP: hosts: mpirun is not Open MPI' && exit 77; }
    [[ ! $(realpath "$0") =~ [[:space:]] ]] || refuse "mpirun takes no script with blanks in its path: $(realpath "$0")"
    n=$(hosts | wc -l)
    each=$(((ranks + n - 1) / n))
    list=$(hosts | sed "s/\$/:$each/" | paste -sd,)
    # mpirun runs on the switch, as on a login node, and reaches each host through this script. Each host would think the
    # cores its own, so ranks are told to yield. Their records say nothing of this script's variables.
    exec env -u TOISE_HOSTS -u TOISE_CLUSTER TMPDIR="$dir/tmp/switch" nsenter --target "$(space_pid "$dir" switch)" --net --uts \
        mpirun --allow-run-as-root --oversubscribe --bind-to none -n "$ranks" -H "$list" --map-by "${MAP:-slot}" \
        --mca plm_rsh_agent "$(realpath "$0") agent $dir" --mca plm_rsh_no_tree_spawn 1 \
        --mca oob_tcp_if_include "$NET.0.0/16" --mca btl_tcp_if_include "$NET.0.0/16" \
        --mca mpi_yield_when_idle 1 --mca pml ob1 --mca btl tcp,vader,self "$@"
}

# Also ends what `run` started: it is on the switch, but not among the machine's processes.
down() {
    local net pid
    net=$(readlink "/proc/$(space_pid "$dir" switch)/ns/net") || :
    for pid in /proc/[0-9]*; do
        [ -z "$net" ] || [ "$(readlink "$pid/ns/net" 2>/dev/null)" != "$net" ] || kill -9 "${pid#/proc/}" 2>/dev/null || :
    done
    space_close "$dir"
}

lose() { # lose HOST: first its cable, or others would still hear its processes end
    on switch ip link set "$1" down
    space_kill "$dir" "$1"
}

[ $# -ge 1 ] || usage
verb=$1
shift
[ "$verb" != agent ] || { dir=$1 && shift; }
case $verb in
up | down) [ "$verb" = up ] || [ -e "$dir" ] || exit 0 ;;
status | run | in | link | kill | agent) ;;
*) usage ;;
esac
[ "$verb" = up ] || space_known "$dir"
case $verb in
in | link | kill) host_named "${1-}" ;;
esac
case $verb${2+ $2} in
'link up' | 'link down') on switch ip link set "$1" "$2" ;;
link* | in) usage ;;
in*) space_enter "$dir" "$@" ;;
agent*) host=$1 && shift && space_enter "$dir" "$host" sh -c "$*" ;; # mpirun's remote shell
kill*) lose "$1" ;;
*) "$verb" "$@" ;;
esac
