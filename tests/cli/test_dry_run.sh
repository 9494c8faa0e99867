#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 300
# --dry-run checks every path as the run does: it refuses and accepts the same, with the same messages. It creates and
# changes nothing, not even the time of a folder. A run that refuses leaves nothing either.
. "$(dirname "$0")/../prelude.sh"
. scripts/mpi.sh

in=$work/in
mkdir -p "$in/full" "$in/free"
: >"$in/full/file"
head -c 4000 /dev/zero | tr '\0' a >"$in/good.txt"
head -c 20 "$in/good.txt" >"$in/short.txt"
printf 'PK\3\4%s' "$(cat "$in/good.txt")" >"$in/archive.txt"
head -c 801 "$in/good.txt" >"$in/odd.bin"
head -c 800 /dev/zero | tr '\0' '\377' >"$in/beyond.bin"
echo 'not a record' >"$in/notes.txt"
printf '{"text": "a line"}\n%.0s' {1..40} >"$in/lines.jsonl"
printf '{"schema": "toise/1"}\nbroken\n{}\n' >"$in/broken.jsonl"
(cd "$in" && "$toise" train --model tiny-gpt2 --seq 32 --steps 1 --warmup 0 --no-gate --save weights --out records.jsonl \
    >/dev/null 2>&1) || [ $? = 3 ]
cp -r "$in/weights" "$in/torn"
truncate -s -8 "$in/torn/model.safetensors"
cp -r "$in/weights" "$in/empty"
ln -s no-folder/records.jsonl "$in/astray"
rm "$in/empty/model.safetensors"
listing() { find "$in" -printf '%p %s %y %T@ %C@\n' | sort; }
before=$(listing)

# Words of the refusal | flags added to: train --model tiny-gpt2 --seq 32
cat >"$work/cases" <<END
absent.txt | --data $in/absent.txt
is a folder | --data $in/full
a zip archive | --data $in/archive.txt
20 tokens | --data $in/short.txt
is odd | --data $in/odd.bin
* token 0 is 65535 | --data $in/beyond.bin
absent | --init $in/absent
model.safetensors | --init $in/empty
torn/model.safetensors | --init $in/torn
* tensors are missing | --init $in/weights --model tiny-llama
have other shapes | --init $in/weights --model $in/other.json
* is a folder | --out $in/full
part of the path is a file | --out $in/good.txt/below.jsonl
does not hold records | --out $in/notes.txt
line 2 is not a record | --out $in/broken.jsonl
cannot write records | --out /proc/none/records.jsonl
too long | --out $in/$(printf 'x%.0s' {1..300})
too long | --out $in/new/$(printf 'x%.0s' {1..300})/records.jsonl
--out and --data | --out $in/lines.jsonl --data $in/lines.jsonl
--out and --model | --out $in/weights/config.json --model $in/weights/config.json
the link's target | --out $in/astray
* exists already | --save $in/full
exists already | --save $in/free/
exists already | --save $in/good.txt
cannot create a folder there | --save $in/good.txt/below
cannot create a folder there | --save $(printf 'x%.0s' {1..252})
cannot create a folder there | --save /proc/none/weights
a file and a folder | --save $in/new --out $in/new/records.jsonl
a file and a folder | --out $in/new --save $in/new/weights
a file and a folder | --out $in/./new --save $in//new/
a file and a folder | --out $in/weights/../new/records.jsonl --save $in/new
absent.txt | --save $in/new/weights --out $in/new/records.jsonl --data $in/absent.txt
END
sed 's/"n_embd": 64/"n_embd": 32/' "$in/weights/config.json" >"$in/other.json"
before=$(listing)

# refused HOW WORDS COMMAND...: exit 2, one line with the words, nothing on stdout, nothing changed
refused() {
    local how=$1 words=$2 code=0
    shift 2
    timeout -k 5 60 "$@" >"$work/stdout" 2>"$work/stderr" </dev/null || code=$?
    [ $code = 2 ] || fail "$how, $words: exit $code: $(head -c 400 "$work/stderr")"
    grep -a '^toise: ' "$work/stderr" >"$work/line-$how" || fail "$how, $words: $(head -c 400 "$work/stderr")"
    [ "$(wc -l <"$work/line-$how")" = 1 ] || fail "$how, $words: $(head -c 400 "$work/line-$how")"
    grep -qF -- "$words" "$work/line-$how" || fail "$how: lacks \"$words\": $(cat "$work/line-$how")"
    [ ! -s "$work/stdout" ] || fail "$how, $words: something on stdout"
    [ "$(listing)" = "$before" ] || fail "$how, $words: changed $(diff <(echo "$before") <(listing))"
}
while IFS='|' read -r words flags; do
    words=${words#\* } words=${words% }
    # shellcheck disable=SC2086  # flags are words
    set -- "$toise" train --model tiny-gpt2 --seq 32 --steps 1 $flags
    refused run "$words" "$@"
    refused dry "$words" "$@" --dry-run
    cmp -s "$work/line-run" "$work/line-dry" || fail "other words: $(cat "$work/line-run") | $(cat "$work/line-dry")"
    refused world "$words" "$@" --dry-run --world 64 --gbs 64
done <"$work/cases"

# What the run accepts; the page says what the data are.
plan() { "$toise" train --model tiny-gpt2 --seq 32 --dry-run "$@" >"$work/stdout" 2>"$work/stderr"; }
plan --data "$in/good.txt" --init "$in/weights" --out "$in/records.jsonl" --save "$in/new/weights" ||
    fail "good paths: $(cat "$work/stderr")"
grep -q "^data  .*good.txt (bytes of text, 4,000)" "$work/stdout" || fail 'the page lacks the data'
plan --out "$in/new/deep/records.jsonl" || fail "a folder that could be made: $(cat "$work/stderr")"
plan --world 64 --gbs 64 --data "$in/good.txt" || fail "a larger world: $(cat "$work/stderr")"
[ "$(listing)" = "$before" ] || fail "--dry-run changed $(diff <(echo "$before") <(listing))"
if "$toise" kernels --model tiny-gpt2 --seq 64 --dry-run --out "$in/new/records.jsonl" >"$work/stdout" 2>&1; then
    [ ! -e "$in/new" ] || fail 'toise kernels --dry-run made a folder'
else
    fail "toise kernels --dry-run: $(cat "$work/stdout")"
fi
refused kernels 'does not hold records' "$toise" kernels --model tiny-gpt2 --seq 64 --dry-run --out "$in/notes.txt"

# Ranks agree: one line, no hang.
if command -v "${MPIRUN:-mpirun}" >/dev/null; then
    mpi_command
    while IFS='|' read -r words flags; do
        [ "${words#\* }" != "$words" ] || continue
        words=${words#\* }
        # shellcheck disable=SC2086
        refused ranks "${words% }" "${MPI_COMMAND[@]}" "${MPI_UNBOUND[@]}" -n 2 "$toise" train --model tiny-gpt2 \
            --seq 32 $flags --dry-run
    done <"$work/cases"
else
    echo 'SKIP: --dry-run of ranks: mpirun is not installed'
fi
exit $bad
