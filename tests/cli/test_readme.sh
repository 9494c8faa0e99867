#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 600
# Everything in a README.md can be typed: each block fenced as ```sh is run in a copy of this tree, each command once
# (other fences are output). Long commands are shortened: in the copy build/toise plans (--dry-run) what is not about
# tiny-gpt2, and fits few of the published runs. Commands that another test runs are named and left out. Links work,
# named files exist, the map has every room, sentences and the first page are short.
. "$(dirname "$0")/../prelude.sh"
[ -e README.md ] || { echo 'SKIP: README: there is none'; exit 77; }
MOST_BYTES=8192 MOST_WORDS=20 MOST_WORDS_BELOW=25 # words of a sentence: of README.md, of the other pages
mapfile -t pages < <(find . \( -path ./results/local -o -name .git -o -name 'build*' \) -prune -o -name README.md -print |
    sed 's,^\./,,' | LC_ALL=C sort)

mkdir -p "$work/tree" "$work/home"
find . -mindepth 1 -maxdepth 1 ! -name .git ! -name 'build*' ! -name results -exec cp -a -t "$work/tree" {} +
mkdir "$work/tree/results"
cp -a results/*.md results/predict-* "$work/tree/results/" 2>/dev/null || true
cp -a "$BUILD" "$work/tree/build"
mv "$work/tree/build/toise" "$work/tree/build/toise.real"
awk 'NR == 1 || NR % 30 == 0' harness/catalog/runs/published.csv >"$work/tree/few.csv"
cat >"$work/tree/build/toise" <<'END'
#!/bin/sh
real=$(dirname "$0")/toise.real
case "$*" in
validate*--fit* | validate*--ablate*) shift && exec "$real" validate few.csv "$@" ;;
report* | *tiny-gpt2* | *--help* | *--version* | *--dry-run* | info* | import* | validate* | project* | predict* | curve* | programme*) exec "$real" "$@" ;;
*) exec "$real" "$@" --dry-run ;;
esac
END
chmod +x "$work/tree/build/toise"

# The test that runs a command instead; nothing if it is run here.
covered() {
    case $1 in
    'make check'* | 'make all tests'* | 'make emulated'* | .ci/run*) echo 'this run' ;;
    build/tests/* | *mpirun*build/tests/mpi/* | *'bash tests/'*) echo 'this run' ;;
    make | 'make  '*'#'*) echo 'this run' ;;
    'make score-detector'*) echo 'tests/unit/detect/test_detect, as far as it takes seconds' ;;
    'make bench-peers'*) echo tests/peers/test_bench.sh ;;
    'make bench'*) echo 'tests/cli/test_bench.sh, test_bench_kernels.sh' ;;
    'build/toise '*' --backend cblas:'*) echo 'tests/cli/test_backend.sh' ;;
    'build/toise ab'*) echo 'tests/cli/test_ab.sh' ;;
    'build/toise roofs'*) echo 'tests/cli/test_roofs.sh' ;;
    'build/toise sbatch'*) echo 'tests/cli/test_sbatch.sh' ;;
    'build/toise accept'*) echo 'tests/cli/test_accept.sh' ;;
    'build/toise compare'*) echo 'tests/cli/test_compare.sh' ;;
    *' --launches '* | 'build/toise report'*) echo 'tests/cli/test_launches.sh' ;;
    'build/toise curve'*) echo 'tests/cli/test_curve.sh' ;;
    'build/toise scale --from'*) echo 'tests/cli/test_scale_from.sh' ;;
    scripts/roofline.sh*) echo 'tests/cli/test_kernels.sh' ;;
    'mpirun '*' comm'*) echo 'tests/cli/test_comm.sh' ;;
    'mpirun '*' nodes'*) echo 'tests/cli/test_nodes.sh' ;;
    'build/toise predict --machine results/local/'*) echo 'tests/cli/test_predict.sh' ;; # after its measurements
    scripts/predict.sh*) echo 'tests/cli/test_predict.sh, as far as it takes minutes' ;;
    scripts/figures.sh*) echo 'tests/cli/test_figures.sh' ;;
    sbatch*info.sbatch* | sbatch*acceptance.sbatch* | sbatch*nodes.sbatch* | scancel*) echo 'tests/slurm/test_jobs.sh, test_stop.sh' ;;
    sbatch*scale.sbatch* | 'grep '*toise-nodes-*) echo 'tests/slurm/test_jobs.sh' ;;
    sbatch*) echo 'tests/slurm/test_train.sh' ;;
    *scripts/virtual-cluster.sh* | srun*) echo 'tests/slurm/test_cluster.sh' ;;
    scripts/netns-hosts.sh*) echo 'tests/cli/test_netns_hosts.sh' ;;
    *MPICC=mpicc.mpich | *scripts/aarch64.sh*) echo 'make check-full' ;;
    esac
}
outside() {
    case $1 in
    'scripts/deps.sh --print'* | 'scripts/deps.sh --check'*) return 1 ;;
    spack* | 'make DEPS_PREFIX='* | sudo* | 'git clone'* | 'cd toise'* | 'module load'* | apt* | scripts/deps.sh*) return 0 ;;
    esac
    return 1
}

# block PAGE LINE: runs the script $work/block, found at LINE of PAGE, without what already ran
declare -A ran
blocks=0
block() {
    local page=$1 at=$2 line by code=0
    blocks=$((blocks + 1))
    sed -e ':a' -e '/\\$/N' -e 's/ *\\\n */ /' -e 'ta' "$work/block" >"$work/lines"
    : >"$work/script"
    while IFS= read -r line; do
        by=$(covered "$line")
        if [ -n "$by" ]; then
            echo "$page:$at: not run: $line (run by $by)"
        elif outside "$line"; then
            echo "SKIP: $page:$at: $line: it reaches outside the tree"
        elif [ -n "$line" ] && [ -z "${ran[$line]:-}" ]; then
            echo "$line" >>"$work/script"
            ran[$line]=yes
        fi
    done <"$work/lines"
    [ -s "$work/script" ] || return 0
    (
        cd "$work/tree"
        export HOME=$work/home OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
        unset MAKEFLAGS MFLAGS BUILD
        timeout -k 5 120 bash -euo pipefail "$work/script"
    ) >"$work/out" 2>&1 </dev/null || code=$?
    if [ $code != 0 ]; then
        fail "$page:$at: exit $code:"
        sed 's/^/  $ /' "$work/script"
        tail -n 20 "$work/out"
    fi
}

run_blocks() { # run_blocks PAGE
    local inside=no n=0 at=0 line lines
    mapfile -t lines <"$1"
    for line in "${lines[@]}"; do
        n=$((n + 1))
        case $inside$line in
        no'```sh') inside=sh at=$n && : >"$work/block" ;;
        no'```'*) inside=other ;;
        sh'```') inside=no && block "$1" "$at" ;;
        other'```') inside=no ;;
        sh*) echo "$line" >>"$work/block" ;;
        esac
    done
}

# The anchors of a page, as GitHub makes them from its headings.
anchors() { sed -n 's/^##* //p' "$1" | tr '[:upper:]' '[:lower:]' | sed 's/[^a-z0-9 _-]//g; s/ /-/g'; }

check_links() { # check_links PAGE: those to files of this tree, and to headings
    local link file
    while IFS= read -r link; do
        file=$(dirname "$1")/${link%%#*}
        [ -n "${link%%#*}" ] || file=$1
        if [ ! -e "$file" ]; then
            fail "$1 links to $link, which is not there"
        elif [[ $link = *'#'* ]] && ! anchors "$file" | grep -qx -e "${link#*#}"; then
            fail "$1 links to $link, and there is no such heading"
        fi
    done < <(grep -o '](\([^)]*\))' "$1" | sed 's/^](//; s/)$//' | grep -v -e '^[a-z]*:' || true)
}

# Files that a page names by their path from the root exist; words in capitals are placeholders.
check_names() { # check_names PAGE
    local name
    while IFS= read -r name; do
        [[ ($name = *[A-Z*]*.* && $name != *README.md) || $name = results/local/* ]] || [ -e "$name" ] || fail "$1 names $name, which is not there"
    done < <(grep -oE '(^|[^A-Za-z0-9_./-])(harness|kernels|scripts|tests|results)/[A-Za-z0-9_/.*-]*\.(c|h|cc|sh|py|txt|csv|sbatch|json|md)\b' "$1" | grep -o '[a-z].*' | sort -u)
}

# Sentences of more than MOST words, of prose: no code, tables, headings. Code between backticks is one word.
long_sentences() { # long_sentences PAGE MOST
    awk -v most="$2" '
    function flush(    before, n, i, k, words, w, sentences) {
        while (match(text, /!?\[[^]]*\]\([^)]*\)/)) {
            before = substr(text, RSTART, RLENGTH)
            sub(/^!?\[/, "", before); sub(/\]\([^)]*\)$/, "", before)
            text = substr(text, 1, RSTART - 1) before substr(text, RSTART + RLENGTH)
        }
        gsub(/`[^`]*`/, "x", text)
        gsub(/[.!?]["*)]* /, "&\n", text)
        n = split(text, sentences, "\n")
        for (i = 1; i <= n; i++) {
            w = 0
            for (k = split(sentences[i], words, " "); k; k--) w += words[k] ~ /[A-Za-z0-9]/
            if (w > most) printf "%s:%d: %d words: %s\n", FILENAME, began, w, sentences[i]
        }
        text = ""
    }
    /^```/ { flush(); code = !code; next }
    code || /^[|#]/ || /^!\[/ { flush(); next }
    /^$/ { flush(); next }
    /^(- |[0-9]+\. )/ { flush() }
    { if (text == "") began = FNR; text = text $0 " " }
    END { flush() }' "$1"
}

for page in "${pages[@]}"; do
    run_blocks "$page"
    check_links "$page"
    check_names "$page"
done
[ $blocks -gt 20 ] || fail "only $blocks blocks in ${pages[*]}"
echo "$blocks blocks of ${#pages[@]} pages"

[ "$(wc -c <README.md)" -le $MOST_BYTES ] || fail "README.md: $(wc -c <README.md) bytes; at most $MOST_BYTES"
long=$(for page in "${pages[@]}"; do
    most=$MOST_WORDS_BELOW
    [ "$page" != README.md ] || most=$MOST_WORDS
    long_sentences "$page" "$most"
done)
[ -z "$long" ] || fail "sentences of more than $MOST_WORDS words in README.md, $MOST_WORDS_BELOW elsewhere:"$'\n'"$long"

# The map of harness/README.md has each room on the floor that the build checks.
# Without a trailing newline `read` fails after reading everything.
read -ra floors < <(sed -n '/split("kernels 0/,/pair/p' scripts/floors.sh | tr -d '\n' | sed 's/.*split("//; s/", *pair.*//; s/" *\\ *"//g') || true
for room in harness/*/; do
    room=$(basename "$room") floor=
    for ((i = 0; i < ${#floors[@]}; i += 2)); do [ "${floors[i]}" != "$room" ] || floor=${floors[i + 1]}; done
    grep -q "^| $floor *| \[$room/\]" harness/README.md || fail "harness/README.md: no row of $room/ on floor ${floor:-none}"
done
exit $bad
