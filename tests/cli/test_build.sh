#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The Makefile. Nothing is rebuilt without cause, and everything when a flag changes. A compiler that lacks an
# instruction set leaves that variant out and says so once. No code of one set can be linked into another. An installed
# toise finds its catalogue from any folder.
. "$(dirname "$0")/../prelude.sh"
unset MAKEFLAGS MFLAGS
quiet() { make --no-print-directory "$@" 2>&1; }

# Flags, by the stamp that every object depends on.
stamp=$work/b/flags
quiet BUILD="$work/b" "$stamp" >/dev/null
touch -d '1 hour ago' "$stamp"
quiet BUILD="$work/b" "$stamp" >/dev/null
[ -z "$(find "$stamp" -mmin -30)" ] || fail 'the flags are new though nothing changed'
quiet BUILD="$work/b" CFLAGS=-O1 "$stamp" >/dev/null
[ -n "$(find "$stamp" -mmin -30)" ] || fail 'other CFLAGS did not renew the flags'

# A compiler too old for BF16 dots.
real=$(command -v "${CC:-cc}")
if [ "$("$real" -dumpmachine | cut -d- -f1)" = x86_64 ]; then
    cat >"$work/old-cc" <<END
#!/bin/sh
case " \$* " in *-mavx512bf16*) echo 'unrecognized option -mavx512bf16' >&2; exit 1 ;; esac
exec $real "\$@"
END
    chmod +x "$work/old-cc"
    out=$(quiet CC="$work/old-cc" BUILD="$work/old" "$work/old/flags")
    [ "$(grep -c '^note: .* leaves out the kernel variants: avx512bf16$' <<<"$out")" = 1 ] || fail "no note: $out"
    out=$(quiet CC="$work/old-cc" BUILD="$work/old" "$work/old/flags")
    ! grep -q note <<<"$out" || fail "the note is said twice: $out"
    plan=$(quiet -n CC="$work/old-cc" BUILD="$work/old" kernels)
    grep -q '_avx512\.c' <<<"$plan" || fail 'AVX-512 went with it'
    ! grep -qE '_avx512bf16\.c|HAVE_AVX512BF16' <<<"$plan" || fail 'the variant is still built'
else
    echo 'SKIP: a compiler too old: the instruction sets are those of x86-64'
fi

# Objects of an instruction set export only functions named for it, and nothing that the linker could merge.
for isa in neon avx2 avx512 avx512bf16; do
    for object in "$BUILD"/kernels/*_"$isa".o "$BUILD"/kernels/*/*_"$isa".o; do
        [ -e "$object" ] || continue
        others=$(nm --defined-only --extern-only "$object" | awk -v end="_$isa" '
            $2 ~ /[WwVvu]/ || substr($3, length($3) - length(end) + 1) != end { print $3 " (" $2 ")" }')
        [ -z "$others" ] || fail "$object defines for all: $others"
    done
done

# Installed, then run from another folder, by name and by link.
quiet PREFIX=/opt/toise DESTDIR="$work/root" BUILD="$BUILD" WERROR="${WERROR:-}" install >/dev/null
root=$work/root/opt/toise
for file in bin/toise share/toise/catalog/models/gpt2-124m.json share/toise/catalog/workloads/node-s.json \
    share/toise/slurm/train.sbatch share/toise/slurm/common.sh share/toise/slurm/sites/lumi.sh share/toise/mpi.sh \
    share/toise/LICENSE; do
    [ -e "$root/$file" ] || fail "not installed: $file"
done
ln -s "$root/bin/toise" "$work/linked"
cd /
for toise in "$root/bin/toise" "$work/linked"; do
    "$toise" train --model tiny-gpt2 --dry-run >"$work/out" 2>&1 || fail "$toise: exit $?: $(cat "$work/out")"
done
exit $bad
