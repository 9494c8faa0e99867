#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Energy of a training: by a command, by a counter that a script moves, and the reasons for none. Made trees stand for
# /sys (--energy-root), and records say so. Power is made up, so that joules are known: watts times seconds.
. "$(dirname "$0")/../prelude.sh"
. scripts/mpi.sh
unset "${!SLURM_@}"
export OMP_NUM_THREADS=1
tree=$work/tree
counter=$tree/sys/cray/pm_counters/energy
# trains CODES ARGUMENTS...: leaves the page in $work/out, the record in $work/record
trains() {
    local codes=$1
    shift
    rm -f "$work/record"
    call "${launcher[@]}" "$toise" train --model tiny-gpt2 --seq 64 --out "$work/record" "$@"
    [[ " $codes " = *" $code "* ]] || fail "$*: exit $code, not $codes: $(tail -n 3 "$work/err")"
    sed 's/.*"energy": *{/{/' "$work/record" >"$work/energy" || fail "$*: no record"
}
# has PATTERN, lacks PATTERN: the record's energy
has() { grep -qE -- "$1" "$work/energy" || fail "the record lacks: $1: $(head -c 1500 "$work/energy")"; }
lacks() { ! grep -qE -- "$1" "$work/energy" || fail "the record has: $1"; }
# first KEY FILE: its first number
first() { grep -oE "\"$1\": *[0-9.e+-]+" "$2" | head -n 1 | sed 's/.*: *//'; }
launcher=()

# No figure: the reason on the page and in the record
mkdir -p "$tree"
trains 0 --steps 3 --energy-root "$tree"
says '^energy +unmeasured: absent \(no energy counter or power sensor\): pass --power-cmd'
has '^{"status": *"unmeasured", *"why": *"absent'
lacks '"joules'
valid "$work/record"
trains 0 --steps 3 --energy off
says '^energy +unmeasured: off'
lacks '"joules'
mkdir -p "$tree/sys/class/powercap/intel-rapl:0"
echo package-0 >"$tree/sys/class/powercap/intel-rapl:0/name"
echo 12345678 >"$tree/sys/class/powercap/intel-rapl:0/energy_uj"
chmod 0 "$tree/sys/class/powercap/intel-rapl:0/energy_uj"
chmod 755 "$work" "$tree"
mkdir "$work/build" "$work/harness"
cp "$toise" "$work/build/" # where nobody may read it
cp -r harness/catalog "$work/harness/"
launcher=(env "HOME=$work")
[ "$(id -u)" != 0 ] || launcher+=(setpriv --reuid=65534 --regid=65534 --clear-groups) # root may read everything
if command -v setpriv >/dev/null || [ "$(id -u)" != 0 ]; then
    call "${launcher[@]}" "$work/build/toise" train --energy list --energy-root "$tree"
    says '^rapl .* permission: .*/intel-rapl:0/energy_uj'
    call "${launcher[@]}" "$work/build/toise" train --model tiny-gpt2 --seq 64 --steps 3 --energy-root "$tree"
    says '^energy +unmeasured: permission \(.*/intel-rapl:0/energy_uj\): ask the administrator .* or pass --power-cmd'
    call "${launcher[@]}" "$work/build/toise" train --model tiny-gpt2 --energy rapl --energy-root "$tree"
    [ "$code" = 2 ] || fail "--energy rapl without the right: exit $code"
else
    echo 'SKIP: counters that only root may read: setpriv is not installed'
fi
launcher=()

# Refused
cat >"$work/bad" <<'LINES'
--energy: unknown source "gpu"; pass auto, off, list | --energy gpu
--energy command needs --power-cmd | --energy command
--energy hwmon: absent ( | --energy hwmon --energy-root /nowhere
--power-cmd and --energy off cannot be combined | --energy off --power-cmd echo
--power-cmd: "false" exit code 1 | --power-cmd false
LINES
command=(train --model tiny-gpt2 --seq 64 --steps 3)
refused_lines "$work/bad"
refused 'printed "lots", not watts' "$toise" "${command[@]}" --power-cmd 'echo lots'
refused 'below 0' "$toise" "${command[@]}" --power-cmd 'echo -5 W'
command=()

# By a command, on one rank and on two of a node: joules are its watts times the timed seconds
check_command() {
    says '^energy .*J/token \[.*\], .* at 250 W, by command \(node\), 100.0% of the timed time; .*reading was the same'
    has '"source": *"command"'
    has '"constant": *true'
    lacks '"root"'
    awk -v j="$(first joules "$work/energy")" -v s="$(first wall_s "$work/record")" \
        'BEGIN { exit !(j > 0.8 * 250 * s && j < 1.25 * 250 * s) }' || fail "$1: joules are not 250 W"
    valid "$work/record"
}
trains '0 3' --steps 30 --energy command --power-cmd 'echo 250 W'
check_command 'one rank'
mpi_command
if command -v "${MPI_COMMAND[0]}" >/dev/null; then
    launcher=("${MPI_COMMAND[@]}" "${MPI_UNBOUND[@]}" -n 2)
    trains '0 3' --steps 30 --energy command --power-cmd 'echo 250 W'
    check_command 'two ranks'
    launcher=()
else
    echo 'SKIP: two ranks: mpirun is not installed'
fi

# By a counter that a script moves by 2 J every 20 ms or later, beside a command that says otherwise. As a real counter it
# is never empty: it is written over, in as many digits.
mkdir -p "${counter%/*}"
echo '100000 J 5 us' >"$counter"
(
    joules=100000
    until [ -e "$work/stop" ]; do
        joules=$((joules + 2))
        echo "$joules J 5 us" 1<>"$counter"
        sleep 0.02
    done
) &
mover=$!
trains '0 3' --steps 100 --energy-root "$tree" --energy cray --power-cmd 'echo 9000'
call "$toise" train --energy list --energy-root "$tree" --power-cmd 'echo 9000 J'
says '^cray +node +readable$'
says '^ +counted +energy: .*/pm_counters/energy$'
touch "$work/stop"
wait "$mover"
has '"source": *"cray", *"status": *"measured"'
has '"disagree": *\[\{"source": *"cray"' # the command comes first: it is what the user named
has '"root"'
valid "$work/record"

# A counter that stands still, and a meter that fails after a while
trains '0 3' --steps 3 --energy-root "$tree"
says '^energy +unmeasured: .*pm_counters/energy: frozen: [0-9]* readings, all the same$'
lacks '"joules'
cat >"$work/meter" <<END
echo x >>"$work/asked"
[ "\$(wc -l <"$work/asked")" -lt 3 ] && echo 250
END
trains '0 3' --steps 30 --energy command --power-cmd "sh $work/meter"
says '^energy +unmeasured: '
has '"failed": *[1-9]'
lacks '"joules'
exit $bad
