#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Sourced: small machines of namespaces on this one, with names, processes, mounts and /dev/shm of their own. The folder
# DIR holds all that is known of them. A machine's first process holds it: if that one dies, all of its processes do.
#   space_missing              prints why there can be none here, or nothing
#   space_folder DIR           makes the folder, or exits 2: it exists, or has blanks in its name
#   space_known DIR            exits 2 if the folder is not one of these, 1 if there is none
#   space_open DIR NAME [FLAGS...] -- COMMAND...   starts a machine, and COMMAND on it; FLAGS are more of unshare's
#   space_pid DIR NAME         its first process, or nothing if it is gone
#   space_enter DIR NAME COMMAND...   becomes COMMAND on that machine, in the same folder; TMPDIR is the machine's own
#   space_kill DIR NAME        ends it with all its processes
#   space_close DIR            ends all machines and removes the folder
# A file DIR/hosts is its /etc/hosts. DIR/NAME.log has what COMMAND prints, DIR/NAME.ended its exit code.
# Needs root and util-linux.

space_missing() {
    local name
    [ "$(id -u)" = 0 ] || { echo 'only root makes namespaces'; return; }
    for name in unshare nsenter setsid; do
        command -v "$name" >/dev/null || { echo "$name (util-linux) is not installed"; return; }
    done
    unshare --uts --ipc --mount --pid --net --fork true 2>/dev/null || echo 'this kernel or container allows no namespaces'
}

space_folder() {
    if [[ $1 =~ [[:space:]] ]]; then
        echo "$(basename "$0"): $1: Slurm and mpirun take no folder with blanks; choose another" >&2
        exit 2
    fi
    mkdir -p "$(dirname "$1")"
    if ! mkdir "$1" 2>/dev/null; then
        echo "$(basename "$0"): $1: exists; is one up already? End it with \"down\", or choose another folder" >&2
        exit 2
    fi
    chmod 755 "$1"
    touch "$1/toise-space" # so that `down` removes no other folder
}

space_known() {
    if [ ! -e "$1" ]; then
        echo "$(basename "$0"): nothing is up: no folder $1" >&2
        exit 1
    elif [ ! -e "$1/toise-space" ]; then
        echo "$(basename "$0"): $1: not a folder of this script" >&2
        exit 2
    fi
}

# The machine's first process. It stays whatever ends, and buries its dead.
# shellcheck disable=SC2016
SPACE_FIRST='
read -r pid _ </proc/self/stat # still the number that others know it by
dir=$1 name=$2 flags=$3
shift 3
fail() { echo "$1" >"$dir/$name.why"; exit 1; }
space=$(readlink /proc/self/ns/pid)
hostname "$name" || fail "cannot set a host name"
mount -t proc proc /proc || fail "cannot mount /proc"
mount -t tmpfs tmpfs /dev/shm || fail "cannot mount /dev/shm"
[ ! -e "$dir/hosts" ] || [ ! -e /etc/hosts ] || mount --bind "$dir/hosts" /etc/hosts || fail "cannot mount /etc/hosts"
export TMPDIR=$dir/tmp/$name
case $flags in *--net*) # /sys shows the network of whoever mounted it
    mkdir "$TMPDIR/sys" && mount -t sysfs sysfs "$TMPDIR/sys" || fail "cannot mount /sys"
    [ ! -e /sys/fs/cgroup ] || mount --rbind /sys/fs/cgroup "$TMPDIR/sys/fs/cgroup" || fail "cannot mount /sys/fs/cgroup"
    mount --move "$TMPDIR/sys" /sys && rmdir "$TMPDIR/sys" || fail "cannot mount /sys"
    ;;
esac
[ $# = 0 ] || { "$@"; echo $? >"$dir/$name.ended"; } &
# If the folder is gone, whoever made this machine has given up.
echo "$pid $space" >"$dir/$name.part" && mv "$dir/$name.part" "$dir/$name.space" || exit 1
while :; do
    sleep infinity &
    wait
done'

space_open() {
    local dir=$1 name=$2 flags=() child
    shift 2
    while [ "$1" != -- ]; do flags+=("$1") && shift; done
    shift
    mkdir -p "$dir/tmp/$name"
    setsid unshare "${flags[@]}" --uts --ipc --mount --pid --fork --kill-child bash -c "$SPACE_FIRST" first \
        "$dir" "$name" "${flags[*]}" "$@" </dev/null >"$dir/$name.log" 2>&1 &
    child=$!
    until [ -e "$dir/$name.space" ]; do
        if ! kill -0 "$child" 2>/dev/null; then
            echo "$name: $(cat "$dir/$name.why" "$dir/$name.log" 2>/dev/null | head -c 500)" >&2
            return 1
        fi
        sleep 0.02
    done
}

space_pid() {
    local pid space
    [ -e "$1/$2.space" ] || return 0
    read -r pid space <"$1/$2.space"
    [ "$(readlink "/proc/$pid/ns/pid" 2>/dev/null)" != "$space" ] || echo "$pid"
}

space_enter() {
    local dir=$1 name=$2 pid
    shift 2
    pid=$(space_pid "$dir" "$name")
    if [ -z "$pid" ]; then
        echo "$(basename "$0"): $name: no such machine, or it is gone" >&2
        exit 2
    fi
    # shellcheck disable=SC2016 # the inner shell expands them
    exec nsenter --target "$pid" --uts --ipc --mount --net --pid env TMPDIR="$dir/tmp/$name" \
        sh -c 'cd "$0" && exec "$@"' "$PWD" "$@"
}

space_kill() {
    local pid
    pid=$(space_pid "$1" "$2")
    [ -z "$pid" ] || kill -9 "$pid" 2>/dev/null || :
    while [ -n "$(space_pid "$1" "$2")" ]; do sleep 0.02; done # the kernel ends its other processes first
}

space_close() {
    local dir=$1 file
    for file in "$dir"/*.space; do
        space_kill "$dir" "$(basename "$file" .space)"
    done
    rm -rf "$dir"
}
