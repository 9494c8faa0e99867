#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 300
# What goes wrong on clusters, on a real Slurm of two virtual nodes: no such partition, a node without the program or
# with another one, daemons that stop, clocks that differ, a home folder that is slow or full. Each ends with a clear
# line and DESIGN.md's exit codes, or makes no difference; records already written stay as they are.
. "$(dirname "$0")/../prelude.sh"
cluster 2 || exit
on() { "$tree/scripts/virtual-cluster.sh" in "$@"; }

mkdir -p "$work/user/build" "$work/user/results" "$work/user/share/toise"
cd "$work/user"
cp "$toise" build/toise
ln -s "$tree/harness" harness # the catalogue
few=(train --model tiny-gpt2 --seq 32 --gbs 4 --warmup 1 --threads 1)
# Without --wait a rank waits for one that could not start until the job's time is over. --kill-on-bad-exit would kill
# ranks that are about to end with toise's exit code.
pair=(srun --mpi=pmix --wait=5 -N 2 -n 2 --chdir="$PWD")

# step CODES COMMAND...: ends with one of these codes; its output in step.out
step() {
    local codes=$1
    shift
    code=0
    timeout -k 5 60 "$@" >step.out 2>&1 || code=$?
    case " $codes " in *" $code "*) ;; *) fail "$*: exit $code, not $codes: $(head -c 1500 step.out)" ;; esac
}
has() { grep -E -- "$1" "${2:-step.out}" >/dev/null || fail "no \"$1\" in ${2:-step.out}: $(head -c 1500 "${2:-step.out}")"; }
records() { # records N FILE: it has N whole records
    [ "$(wc -l <"$2")" = "$1" ] && python3 -c 'import json, sys; [json.loads(l) for l in open(sys.argv[1])]' "$2" ||
        fail "$2: not $1 whole records"
}
GOOD='0 3' # inconclusive depends on time

step "$GOOD" "${pair[@]}" build/toise "${few[@]}" --steps 2 --out results/all.jsonl
records 1 results/all.jsonl
cp results/all.jsonl before.jsonl

step 1 sbatch --partition=nowhere --wrap true
has 'invalid partition'

# The second node has another program, then none.
python3 - build/toise other <<'END'
import sys
whole = open(sys.argv[1], 'rb').read()
at = whole.index(b'\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0') + 16
open(sys.argv[2], 'wb').write(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
END
chmod +x other
on node2 mount --bind "$PWD/other" "$PWD/build/toise"
step 2 "${pair[@]}" build/toise "${few[@]}" --steps 2 --out results/all.jsonl
has '^toise: the nodes run different programs: .* on node1, .* on node2; start the same file'
on node2 umount "$PWD/build/toise"
on node2 mount -t tmpfs none "$PWD/build"
step 137 "${pair[@]}" build/toise "${few[@]}" --steps 2 --out results/all.jsonl
has 'node2.*build/toise.*No such file'
on node2 umount "$PWD/build"
cmp -s results/all.jsonl before.jsonl || fail 'a refused run changed records'

# Clocks an hour apart: the first rank's counts. (Slurm itself refuses nodes whose clocks differ by five minutes.)
compile() { # compile NAME: a library from standard input, for LD_PRELOAD
    # shellcheck disable=SC2086 # a compiler may come with flags
    ${CC:-cc} -shared -fPIC -x c -o "$work/$1.so" - -ldl
}
compile clock <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
static long skew(void) { const char *rank = getenv("PMIX_RANK"); return rank && rank[0] == '1' ? 3600 : 0; }
int clock_gettime(clockid_t id, struct timespec *t) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    const int code = real(id, t);
    if (!code && id == CLOCK_REALTIME) t->tv_sec += skew();
    return code;
}
time_t time(time_t *at) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (at) *at = t.tv_sec;
    return t.tv_sec;
}
END
step "$GOOD" "${pair[@]}" --export=ALL,LD_PRELOAD="$work/clock.so" build/toise "${few[@]}" --steps 2 --out results/skew.jsonl
records 1 results/skew.jsonl
python3 - results/skew.jsonl <<'END' || fail 'clocks apart: not the time of rank 0'
import datetime, json, sys
r = json.loads(open(sys.argv[1]).read())
then = datetime.datetime.fromisoformat(r["time"].replace("Z", "+00:00"))
sys.exit(abs((datetime.datetime.now(datetime.timezone.utc) - then).total_seconds()) > 600)
END

# A slow home folder: each fsync takes a second. It lengthens the end of a run, and no window.
compile slow <<'END'
#include <sys/syscall.h>
#include <unistd.h>
int fsync(int file) { sleep(1); return (int)syscall(SYS_fsync, file); }
int fdatasync(int file) { sleep(1); return (int)syscall(SYS_fdatasync, file); }
END
step "$GOOD" "${pair[@]}" --export=ALL,LD_PRELOAD="$work/slow.so" build/toise "${few[@]}" --steps 20 --out results/slow.jsonl
records 1 results/slow.jsonl
python3 - results/slow.jsonl <<'END' || fail 'a slow home folder: a step took longer'
import json, sys
r = json.loads(open(sys.argv[1]).read())
sys.exit(max(r["samples"]["step_s"]) > 0.9)
END

# A full home folder: exit 4 with the file's name; what was in it stays, and no half line.
mkdir full
on node1 mount -t tmpfs -o size=64k none "$PWD/full"
on node1 sh -c "cp before.jsonl full/all.jsonl; cat /dev/zero >full/filler 2>/dev/null; true"
step 4 "${pair[@]}" build/toise "${few[@]}" --steps 2 --out full/all.jsonl
has 'toise: .*full/.*No space left on device'
has '"status":|^tokens/s'
on node1 cmp full/all.jsonl before.jsonl || fail 'a full home folder: an earlier record changed'
on node1 umount "$PWD/full"

# Daemons that stop while a job runs: the job and its record do not need them.
sbatch --parsable -N 2 -n 2 --output=daemons.out --wrap "srun --mpi=pmix build/toise ${few[*]} --budget 4 --ci 0.1% --out results/daemons.jsonl; echo ended \$?" >job
for _ in $(seq 100); do [ ! -s daemons.out ] || break && sleep 0.1; done
# shellcheck disable=SC2016 # the nodes expand them
on control sh -c 'kill $(cat "$TOISE_CLUSTER/slurmctld.pid")'
# shellcheck disable=SC2016
on node2 sh -c 'kill $(cat "$TOISE_CLUSTER/slurmd-node2.pid")'
for _ in $(seq 300); do ! grep '^ended' daemons.out >/dev/null || break && sleep 0.1; done
has '^ended 3$' daemons.out
records 1 results/daemons.jsonl
step 1 sbatch --wrap true
has 'Unable to contact slurm controller|Connection refused'
exit $bad
