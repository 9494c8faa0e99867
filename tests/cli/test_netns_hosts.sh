#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# scripts/netns-hosts.sh: names, memory and processes of each host, a rate that holds, a cable that is pulled, a host that
# dies, two sets at once. Nothing is left, also after an `up` that failed. A stand-in for tc shows the flags of a delay.
. "$(dirname "$0")/../prelude.sh"
script=scripts/netns-hosts.sh

# what a hostile user types
answers 2 'up N ' "$script"
answers 2 'up N ' "$script" sideways
answers 2 'not a number of hosts' "$script" up
answers 2 'not a number of hosts' "$script" up 0
answers 2 'write it as 1gbit' "$script" up 2 --rate fast
answers 2 'write it as 500us' "$script" up 2 --delay -1ms
answers 2 'write it as 1gbit' "$script" up 2 --rate 0mbit
answers 2 'unknown flag --speed' "$script" up 2 --speed 1
answers 1 'nothing is up' "$script" status
answers 0 '' "$script" down
TOISE_HOSTS=$work answers 2 'not a folder of this script' "$script" down
[ -e "$work" ] || fail 'down removed a folder of others'
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
    chmod 755 "$work"
    answers 77 'SKIP: hosts: only root' setpriv --reuid 65534 --clear-groups "$script" up 2
fi

hosts 2 --rate 80mbit || exit $bad
TOISE_HOSTS=$work answers 2 'exists' "$script" up 2
answers 0 'host2 +10.77.0.3 +up' "$script" status
answers 0 '80mbit' "$script" status
answers 2 'is one up already' "$script" up 2
answers 0 '^host2$' "$script" in host2 hostname
answers 5 '' "$script" in host1 sh -c 'exit 5'
answers 2 'is no host; there are host1 host2' "$script" in host3 true
answers 2 'link HOST up' "$script" link host1 sideways
[ "$("$script" in host1 sh -c 'touch /dev/shm/mine; ls /dev/shm; cat /proc/sys/kernel/hostname; ls /sys/class/net' | xargs)" = 'mine host1 eth0 lo' ] ||
    fail 'host1: not the /dev/shm, name or network of its own'
[ ! -e /dev/shm/mine ] || fail 'host1 shares /dev/shm with this machine'
[ "$(cd "$work" && "$tree/$script" in host1 pwd)" = "$work" ] || fail 'in: another folder'

# 10 MB at 10 MB/s take a second at least; without the limit, hundredths
cat >"$work/send.py" <<'END'
import socket, sys, time
if sys.argv[1] == 'serve':
    s = socket.create_server(('10.77.0.3', 7000))
    c = s.accept()[0]
    while c.recv(1 << 16): pass
    c.send(b'x')
else:
    began = time.monotonic()
    while True:
        try: s = socket.create_connection(('host2', 7000)); break
        except OSError: time.sleep(0.05)
        if time.monotonic() - began > 10: sys.exit('no connection')
    began = time.monotonic()
    s.sendall(bytes(10_000_000)); s.shutdown(socket.SHUT_WR); s.recv(1)
    print(int(80 / (time.monotonic() - began)))
END
"$script" in host2 timeout 60 python3 "$work/send.py" serve &
rate=$("$script" in host1 timeout 60 python3 "$work/send.py" send) || fail 'host1 does not reach host2 by name'
wait
[ "${rate:-0}" -gt 20 ] && [ "$rate" -lt 90 ] || fail "a link of 80 Mbit/s carries $rate"

# a second set, while the first is up
TOISE_HOSTS=$work/second answers 0 'host1 ' "$script" up 1
TOISE_HOSTS=$work/second answers 0 '' "$script" down
[ ! -e "$work/second" ] || fail 'the second set left its folder'

answers 0 '' "$script" link host2 down
answers 0 'host2 .* (down|lowerlayerdown)$' "$script" status
answers 0 '' "$script" link host2 up
answers 0 'host2 .* up$' "$script" status
# shellcheck disable=SC2016 # the host expands it
"$script" in host2 sh -c 'touch "$0/asleep"; exec sleep 1000' "$work" &
sleeper=$!
for _ in $(seq 100); do [ ! -e "$work/asleep" ] || break && sleep 0.1; done
answers 0 '' "$script" kill host2
wait $sleeper 2>/dev/null && fail 'a process of a dead host lives'
answers 0 'host2 +gone' "$script" status
answers 2 'is gone' "$script" in host2 true

if command -v mpirun >/dev/null; then
    "$script" down
    hosts 2
    [ "$(MAP=node "$script" run 3 hostname | sort | xargs)" = 'host1 host1 host2' ] || fail 'run: not these hosts'
    # shellcheck disable=SC2016 # the hosts expand it
    [ -z "$("$script" run 1 sh -c 'echo $TOISE_HOSTS$TOISE_CLUSTER')" ] || fail 'run: ranks see variables of the script'
    code=0
    "$script" run 2 sh -c 'exit 7' >/dev/null 2>&1 || code=$?
    [ $code = 7 ] || fail "run: exit $code, not the ranks' 7"
    # shellcheck disable=SC2016 # the hosts expand it
    "$script" run 2 sh -c 'touch "$0/$(hostname)"; exec sleep 1000' "$work" >"$work/killed" 2>&1 &
    for _ in $(seq 100); do [ ! -e "$work/host2" ] || break && sleep 0.1; done
fi
answers 0 '' "$script" down
wait
[ ! -e "$TOISE_HOSTS" ] || fail 'down left its folder'
[ -z "$(alive)" ] || fail "down left processes: $(alive)"

# tc that cannot: nothing is left; tc that notes what it is told: a delay is the sender's, a rate both sides'
mkdir "$work/bin"
# shellcheck disable=SC2016 # the stand-in expands it
printf '#!/bin/sh\necho "$(hostname) $*" >>%s/tc\n[ ! -e %s/unable ]\n' "$work" "$work" >"$work/bin/tc"
chmod +x "$work/bin/tc"
touch "$work/unable"
PATH=$work/bin:$PATH answers 77 'SKIP: hosts: this kernel cannot delay packets by 2ms \(sch_netem\)' "$script" up 2 --delay 2ms
[ ! -e "$TOISE_HOSTS" ] || fail 'a failed up left its folder'
rm "$work/unable" "$work/tc"
PATH=$work/bin:$PATH answers 0 'links: +1gbit, 500us one way' "$script" up 1 --delay 500us --rate 1gbit
cat >"$work/wanted" <<'END'
host1 qdisc add dev eth0 root handle 1: tbf rate 1gbit burst 250000 latency 100ms
host1 qdisc add dev eth0 parent 1:1 handle 2: netem delay 500us limit 100000
switch qdisc add dev host1 root handle 1: tbf rate 1gbit burst 250000 latency 100ms
END
diff "$work/wanted" "$work/tc" || fail 'other limits than asked'
exit $bad
