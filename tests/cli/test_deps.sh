#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# scripts/deps.sh names what a compiler cannot find, in one line for make, and calls apt in the right order. A compiler
# that finds no numa.h until a fake apt-get has "installed" it simulates a machine without it.
. "$(dirname "$0")/../prelude.sh"

real=$(command -v "${CC:-cc}")
cat >"$work/cc" <<END
#!/bin/sh
[ -e $work/installed ] && exec $real "\$@"
cat >$work/source
grep -q numa.h $work/source && exit 1
exec $real "\$@" <$work/source
END
# Fails the first time, as apt does with stale lists; installs once update has run.
cat >"$work/apt-get" <<END
#!/bin/sh
echo "\$*" >>$work/log
case "\$*" in
*update*) touch $work/updated ;;
*install*) [ -e $work/updated ] || { echo 'E: Unable to locate package'; exit 100; }; [ -e $work/broken ] || touch $work/installed ;;
esac
END
cat >"$work/sudo" <<'END'
#!/bin/sh
[ "$1" != -n ] || shift
exec "$@"
END
chmod +x "$work/cc" "$work/apt-get" "$work/sudo"
export CC=$work/cc

# the check that make runs
code=0
out=$(scripts/deps.sh --check 2>&1) || code=$?
[ $code = 2 ] && [ "$(wc -l <<<"$out")" = 1 ] && grep -q '^toise: .*numa.*scripts/deps.sh' <<<"$out" ||
    fail "deps.sh --check: exit $code, not one line naming numa: $out"
code=0
out=$(MAKEFLAGS='' make BUILD="$work/build" "$work/build/flags" 2>&1) || code=$?
grep -q '^toise: .*numa.*scripts/deps.sh' <<<"$out" && [ $code != 0 ] || fail "make: exit $code: $out"
! grep -q 'error:' <<<"$out" || fail "make: a compiler error: $out"

# if it may install
PATH=$work:$PATH scripts/deps.sh >"$work/out" 2>&1 || fail "deps.sh with apt: exit $?: $(cat "$work/out")"
[ "$(grep -c install "$work/log")" = 2 ] && [ "$(grep -c update "$work/log")" = 1 ] || fail "apt-get: $(cat "$work/log")"
grep -q 'install.* libnuma-dev$' "$work/log" || fail "apt-get should install libnuma-dev alone: $(cat "$work/log")"
: >"$work/log"
out=$(PATH=$work:$PATH scripts/deps.sh 2>&1) && [ -z "$out" ] && [ ! -s "$work/log" ] || fail "nothing missing, yet: $out"

# without apt: lists the packages of every family, exit 2
rm "$work/installed"
touch "$work/broken"
code=0
out=$(PATH=$work:$PATH scripts/deps.sh 2>&1) || code=$?
[ $code = 2 ] || fail "after a useless apt: exit $code"
for words in 'apt-get install libnuma-dev' 'dnf install numactl-devel' 'zypper install libnuma-devel' \
    'spack install numactl' 'module load' 'DEPS_PREFIX='; do
    grep -q "$words" <<<"$out" || fail "the advice lacks: $words"
done
out=$(PATH=$work:$PATH scripts/deps.sh --try 2>&1) || fail "--try with a useless apt: exit $?: $out"
code=0
scripts/deps.sh --nonsense >/dev/null 2>&1 || code=$?
[ $code = 2 ] || fail "unknown flag: exit $code"
exit $bad
