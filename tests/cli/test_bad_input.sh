#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 600
# Every bad invocation: exit 2, one line on stderr that begins "toise: " and says what is wrong, nothing on stdout,
# no file written, no hang. Alone and under mpirun -n 2.
. "$(dirname "$0")/../prelude.sh"
. scripts/mpi.sh
no_grace

in=$work/in
mkdir -p "$in/folder"
words() { # words SIZE NUMBER...: binary little-endian integers of 1 to 8 bytes
    local size=$1 x i text=
    shift
    for x in "$@"; do
        for ((i = 0; i < size; i++)); do text+=$(printf '\\x%02x' $((x >> 8 * i & 255))); done
    done
    printf '%b' "$text"
}
llmc() { # llmc MAGIC VERSION COUNT: the header; the tokens follow from the caller
    words 4 "$1" "$2" "$3"
    head -c 1012 /dev/zero
}
tokens() { head -c "$1" /dev/zero | tr '\0' a; }
tokens 4000 >"$in/good.txt"
tokens 20 >"$in/short.txt"
: >"$in/empty.txt"
tokens 801 >"$in/odd.bin"
words 2 $(seq 200) 50257 >"$in/beyond.bin"
words 2 $(seq 20) >"$in/short.bin"
words 4 $(seq 200) >"$in/wide.bin"
words 2 $(seq 50200 50255) $(seq 200) >"$in/tokens.dat"
{ printf '\x1f\x8b\x08\x00' && tokens 400; } >"$in/corpus.txt.gz"
{ printf 'PAR1\x15\x04' && tokens 400; } >"$in/corpus.bin"
words 4 $(seq 100) >"$in/older.bin"
{ printf 'TNTIDX\0\0' && words 8 1 4 4 1 1 0 1 0 100 100; } >"$in/older.idx"
{ llmc 20240520 1 500 && words 2 $(seq 300); } >"$in/truncated.bin"
{ llmc 20240520 9 300 && words 2 $(seq 300); } >"$in/version.bin"
{ llmc 12345 1 300 && words 2 $(seq 300); } >"$in/magic.bin"
{ llmc 20240520 1 300 && words 2 $(seq 299) 65535; } >"$in/vocabulary.bin"
words 4 20240520 1 >"$in/header.bin"
megatron() { # megatron NAME DTYPE SIZE...: NAME.idx, of one document; the tokens come from the caller into NAME.bin
    local name=$1 dtype=$2 at=0 size
    shift 2
    printf 'MMIDIDX\0\0' >"$in/$name.idx"
    {
        words 8 1 && words 1 "$dtype" && words 8 $# 2 && words 4 "$@"
        for size in "$@"; do words 8 $at && at=$((at + 2 * size)); done
        words 8 0 $#
    } >>"$in/$name.idx"
    cat >"$in/$name.bin"
}
words 2 $(seq 100) | megatron agrees 8 60 40
words 2 $(seq 100) | megatron differs 8 60 41
words 2 $(seq 100) | megatron float 7 60 40
words 2 $(seq 99) 256 | megatron large 8 60 40
words 2 $(seq 100) | megatron alone 8 60 40
rm "$in/alone.bin"
echo '{"model_type": "gpt2", "n_embd": 64' >"$in/torn.json"
echo '{"model_type": "mamba", "n_embd": 64}' >"$in/family.json"
echo '{"model_type": "gpt2", "n_embd": 64, "n_layer": 2, "n_head": 5, "n_positions": 64, "vocab_size": 256}' >"$in/heads.json"
sizes() { # sizes WIDTH LAYERS HEADS VOCAB
    printf '{"model_type": "gpt2", "n_embd": %s, "n_layer": %s, "n_head": %s, "n_positions": 64, "vocab_size": %s}' "$@"
}
sizes 64 16777216 4 256 >"$in/deep.json"
sizes 16777216 12 65536 256 >"$in/huge.json"
sizes 64 2 4 1 >"$in/vocab.json"
sizes 64 1 4 100000 >"$in/vocab-large.json"
llama() { # llama FIELDS: a small Llama; FIELDS come last and so count
    printf '{"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, '
    printf '"intermediate_size": 88, "max_position_embeddings": 64, "vocab_size": 256, "num_key_value_heads": %s}' "$1"
}
llama '2, "hidden_act": "relu"' >"$in/activation.json"
llama '3' >"$in/groups.json"
llama '2, "rope_scaling": {"rope_type": "yarn", "factor": 4.0}' >"$in/rope.json"
llama '2, "architectures": ["MistralForCausalLM"]' >"$in/architecture.json"
echo '{"model_type": "bloom", "hidden_size": 64, "n_embed": 32, "n_layer": 2, "n_head": 4, "vocab_size": 256}' >"$in/twice.json"
safetensors() { # safetensors NAME HEADER BYTES: a file with this header and that much data
    { words 8 ${#2} && printf '%s' "$2" && head -c "$3" /dev/zero; } >"$in/$1.safetensors"
}
safetensors few '{"wte.weight":{"dtype":"F32","shape":[256,64],"data_offsets":[0,65536]}}' 65536
safetensors hole '{"wte.weight":{"dtype":"F32","shape":[256,64],"data_offsets":[0,65536]}}' 65540
safetensors torn '{"wte.weight":{"dtype":"F32"' 0
: >"$in/file"
echo 'not a record' >"$in/records.jsonl"
printf 'no newline' >"$in/notes.txt"

# Words of the message | the command line, where T stands for: train --model tiny-gpt2 --steps 1.
# Lines with a star also run under mpirun. With CHECK_FULL set all do, since ranks handle them the same way.
cat >"$work/cases" <<END
* command |
unknown command | tra
unknown | --nonsense
* --nonsense | T --nonsense
--nonsense | T --nonsense=3
-x | T -x
stray | T stray
* --steps | train --model tiny-gpt2 --steps
--model | train --model
--out | T --out
* --model | train --model gpt2-125m
--model | train --model ''
--workload | train --workload node-xxl
--workload | train --workload ../workloads/node-s
--workload | train --workload node-s --model tiny-gpt2
--workload | train --workload node-s --seq 128
* torn.json | train --model $in/torn.json
mamba | train --model $in/family.json
head | train --model $in/heads.json
absent.json | train --model $in/absent.json
n_layer | train --model $in/deep.json
n_embd | train --model $in/huge.json
vocab_size | train --model $in/vocab.json
mbs | train --model tiny-gpt2 --seq 1 --gbs 16777216 --mbs 16777216
* --precision | T --precision fp64
--precision | T --precision FP32
--precision | T --precision
--steps | train --model tiny-gpt2 --steps 0
--steps | train --model tiny-gpt2 --steps -3
--steps | train --model tiny-gpt2 --steps ten
--steps | train --model tiny-gpt2 --steps 3x
--steps | train --model tiny-gpt2 --steps 1.5
* --steps | train --model tiny-gpt2 --steps 99999999999999999999
--steps | train --model tiny-gpt2 --steps ''
--warmup | T --warmup -1
* --width no longer exists; give --ci 5% | T --width 0.1
--ci 10% | kernels --width=0.1
* --ci 20% | comm --width 0.1
--ci: "wide" | T --ci wide
--ci: 0% | T --ci 0%
--job: "two words" | T --job 'two words'
--job | T --job $(printf 'x%.0s' {1..65})
--layers | T --layers 0
* layers | T --layers 3
--layers | T --layers 4294967298
--seq | T --seq 0
--seq | T --seq -1
* seq | T --seq 129
seq | T --seq 9999999
--mbs | T --mbs 0
--mbs | T --mbs two
mbs | T --gbs 4 --mbs 3
* mbs | T --gbs 4 --mbs 8
experts | train --model tiny-mixtral --experts 1
hidden_act | train --model $in/activation.json
* num_key_value_heads | train --model $in/groups.json
yarn | train --model $in/rope.json
MistralForCausalLM | train --model $in/architecture.json
"n_embed" mean the same | train --model $in/twice.json
* absent.safetensors | T --init $in/absent.safetensors
* h.0.ln_1.weight [64] | T --init $in/few.safetensors
hole.safetensors | T --init $in/hole.safetensors
torn.safetensors | T --init $in/torn.safetensors
model.safetensors | T --init $in/folder
config.json | train --steps 1 --init $in/few.safetensors
--workload | train --workload node-s --init $in/few.safetensors
* --save | T --save $in
--save | T --save $in/folder/
--save | T --save $in/file
--save | T --save /proc/none/weights
--save | T --save ''
--gbs | T --gbs 0
--gbs | T --gbs 18446744073709551617
--threads | T --threads 0
--threads | T --threads -1
--threads | T --threads 100000000
--seed | T --seed -1
--seed | T --seed 99999999999999999999
--seed | T --seed abc
--lr | T --lr fast
--lr | T --lr -1
--lr | T --lr nan
--lr | T --lr inf
--lr | T --lr ''
--json | T --json=yes
* missing.txt | T --data $in/missing.txt
folder | T --data $in/folder
empty.txt | T --data $in/empty.txt
* short.txt | T --data $in/short.txt --seq 64
odd.bin | T --data $in/odd.bin
beyond.bin | train --model gpt2-124m --layers 1 --seq 64 --steps 1 --data $in/beyond.bin --data-format nanogpt
* beyond.bin | T --data $in/beyond.bin --seq 64
short.bin | T --data $in/short.bin --seq 64
* truncated.bin | T --data $in/truncated.bin --seq 64
version.bin | T --data $in/version.bin --seq 64 --data-format llmc
magic.bin | T --data $in/magic.bin --seq 64 --data-format llmc
* vocabulary.bin | T --data $in/vocabulary.bin --seq 64
header.bin | T --data $in/header.bin --seq 64 --data-format llmc
uint32 | T --data $in/wide.bin --seq 64
16 bits | train --model $in/vocab-large.json --steps 1 --seq 64 --data $in/wide.bin --data-format nanogpt
not text | T --data $in/tokens.dat --seq 64
* gzip | T --data $in/corpus.txt.gz --seq 64
gzip | T --data $in/corpus.txt.gz --seq 64 --data-format text
Parquet | T --data $in/corpus.bin --seq 64
* TNTIDX | T --data $in/older.bin --seq 64
TNTIDX | T --data $in/older --seq 64
contradicts | T --data $in/older.bin --seq 64 --data-format nanogpt
contradicts | T --data $in/agrees.bin --seq 64 --data-format uint32
100 tokens | T --data $in/agrees --seq 100
sequence 1 | T --data $in/differs --seq 64
* differs.idx | T --data $in/differs.bin --seq 64
float32 | T --data $in/float.idx --seq 64
* token 99 | T --data $in/large --seq 64
alone.bin | T --data $in/alone --seq 64
good.txt.idx | T --data $in/good.txt --data-format megatron
good.txt.idx | T --data $in/good.txt.idx
format | T --data $in/good.txt --data-format parquet
format | T --data-format text
* folder | T --out $in/folder
file | T --out $in/file/below/record.jsonl
* /proc | T --out /proc/none/record.jsonl
* records.jsonl | T --out $in/records.jsonl
records.jsonl | T --out $in/records.jsonl --no-gate
notes.txt | T --out $in/notes.txt
a file and a folder | T --out $in/same --save $in/same
too long | T --out $in/$(printf 'x%.0s' {1..300})
END
# Not divisible by two ranks; a world of one accepts it.
cat >"$work/cases2" <<END
* gbs | T --gbs 3
* gbs | T --gbs 1
* mbs | T --gbs 4 --mbs 4
END

listing() { find "$in" "$work/cwd" -printf '%p %s %y\n' | sort; }
mkdir "$work/cwd"
cd "$work/cwd"
before=$(listing)

# judge EXIT: checks what the last run left in $work/stdout and $work/stderr
judge() {
    local code=$1 words=$2 what=$3 lines
    lines=$(grep -ac '^toise: ' "$work/stderr" || true)
    [ "$code" = 2 ] || fail "$what: exit $code, not 2: $(head -c 600 "$work/stderr")"
    [ "$lines" = 1 ] || fail "$what: $lines lines of toise: $(head -c 600 "$work/stderr")"
    grep -a '^toise: ' "$work/stderr" | grep -Fq -- "$words" ||
        fail "$what: does not name \"$words\": $(grep -a '^toise: ' "$work/stderr")"
    [ ! -s "$work/stdout" ] || fail "$what: wrote to stdout: $(head -c 300 "$work/stdout")"
    [ "$(listing)" = "$before" ] || fail "$what: wrote files: $(diff <(echo "$before") <(listing))"
}

# each FILE LAUNCHER...: every case of FILE, run by the launcher, or directly without one
each() {
    local file=$1 words line code launcher
    launcher=("${@:2}")
    while IFS='|' read -r words line; do
        [ ${#launcher[@]} = 0 ] || [ -n "${CHECK_FULL:-}" ] || [ "${words#\* }" != "$words" ] || continue
        words=${words#\* }
        eval "set -- ${line/ T / train --model tiny-gpt2 --steps 1 }"
        code=0
        timeout -k 5 30 "${launcher[@]}" "$toise" "$@" >"$work/stdout" 2>"$work/stderr" </dev/null || code=$?
        judge "$code" "${words% }" "${launcher[*]} toise $*"
        # mpirun adds its own lines
        [ ${#launcher[@]} -gt 0 ] || [ "$(wc -l <"$work/stderr")" = 1 ] || fail "toise $*: more than one line"
    done <"$file"
}
each "$work/cases"
if command -v "${MPIRUN:-mpirun}" >/dev/null; then
    export OMP_NUM_THREADS=1
    mpi_command
    each "$work/cases" "${MPI_COMMAND[@]}" "${MPI_UNBOUND[@]}" -n 2
    each "$work/cases2" "${MPI_COMMAND[@]}" "${MPI_UNBOUND[@]}" -n 2
    code=0
    train=("$toise" train --model tiny-gpt2 --steps)
    timeout -k 5 30 "${MPI_COMMAND[@]}" "${MPI_UNBOUND[@]}" -n 1 "${train[@]}" 1 : -n 1 "${train[@]}" 2 \
        >"$work/stdout" 2>"$work/stderr" </dev/null || code=$?
    judge "$code" 'different flags' 'ranks with different flags'
else
    echo 'SKIP: bad input under mpirun: mpirun is not installed'
fi

# A folder without write permission stops everybody but root.
if [ "$(id -u)" = 0 ]; then
    echo 'SKIP: an --out without write permission: root may write anywhere'
else
    chmod a-w "$in/folder"
    code=0
    "$toise" train --model tiny-gpt2 --steps 1 --out "$in/folder/x.jsonl" >"$work/stdout" 2>"$work/stderr" || code=$?
    judge "$code" folder 'an unwritable folder'
fi
exit $bad
