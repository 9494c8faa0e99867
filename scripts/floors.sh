#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Checks the architecture: which room may include which (its own floor and below), how many files a room holds, who may
# include mpi.h and the like, what kernels/ never calls, and that main stays short. Reads the sources in the current
# tree, prints FILE:LINE: rule for each breach, and exits 1 if there is one. Every build runs it, so it is one awk over
# all files.
set -euo pipefail
cd "${1:-$(dirname "$0")/..}"

dirs=()
for d in kernels harness tests; do [ -d "$d" ] && dirs+=("$d"); done
[ ${#dirs[@]} -gt 0 ] || { echo "floors: no kernels/, harness/ or tests/ in $PWD" >&2; exit 1; }

find "${dirs[@]}" -type f \( -name '*.[ch]' -o -name '*.cc' -o -name '*.inc' \) | LC_ALL=C sort | LC_ALL=C awk '
# The floor of each room. A room may include from itself and from rooms on lower floors.
BEGIN {
    split("kernels 0 base 1 records 2 backend 2 detect 2 config 2 " \
          "model 3 data 3 draw 3 comm 3 check 3 guard 3 jobs 3 " \
          "plan 4 measure 4 inventory 4 energy 4 import 4 inject 4 " \
          "parallel 5 machine 5 costmodel 6 fit 7 train 7 " \
          "gate 6 profile 6 checkpoint 6 projection 8 bench 8 journal 8 collectives 8 fleet 8 sweep 8 " \
          "study 9 report 9 " \
          "forecast 10 html 10 compare 10 accept 10 scale 10 cli 11 training 12 commands 13", pair, " ")
    for (i = 1; pair[i] != ""; i += 2) floor[pair[i]] = pair[i + 1]
    # Headers that only one place may include.
    only["mpi.h"] = "harness/comm/"
    only["numa.h"] = only["numaif.h"] = only["hwloc.h"] = "harness/base/"
    only["cblas.h"] = "kernels/"
    only["benchmark/benchmark.h"] = "tests/bench/"
    ROOM_MOST = 26
    banned = "(malloc|calloc|realloc|free|aligned_alloc|posix_memalign|fopen|fclose|fread|fwrite|printf|fprintf|puts|fputs)"
}
# Each line of standard input names a source file.
{ known[$0] = 1; file[++files] = $0 }
END {
    for (f = 1; f <= files; f++) check(file[f])
    for (room in size)
        if (size[room] > ROOM_MOST)
            breach(room, 1, "a room holds at most " ROOM_MOST " files, and this one " size[room] ": divide it by subject")
    exit bad > 0
}

function breach(name, line, rule) { printf "%s:%d: %s\n", name, line, rule; bad++ }

# kernels/... -> kernels, harness/x/... -> x, else "": tests may include anything but the reserved headers
function room_of(path,    part) {
    split(path, part, "/")
    return part[1] == "kernels" ? "kernels" : part[1] == "harness" ? part[2] : ""
}

# The file that #include "name" in `from` means, by the include path of the Makefile; "" if not in this tree.
function resolve(from, name,    path) {
    path = from
    sub(/[^\/]*$/, "", path)
    path = path name
    while (sub(/[^\/.]+\/\.\.\//, "", path)) continue
    if (path in known) return path
    if (name in known) return name
    if (("harness/" name) in known) return "harness/" name
    if (("kernels/" name) in known) return "kernels/" name
    return ""
}

# The line without comments and string contents; `within` remembers an open comment.
function code_of(line,    text, at, rest) {
    text = ""
    while (line != "") {
        if (within) {
            if (!(at = index(line, "*/"))) return text
            line = substr(line, at + 2); within = 0; text = text " "
        } else if (match(line, /\/\*|\/\/|"([^"\\]|\\.)*"/)) {
            rest = substr(line, RSTART, 2); text = text substr(line, 1, RSTART - 1)
            if (rest == "//") return text
            if (rest == "/*") within = 1
            else if (text ~ /^[ \t]*#[ \t]*include[ \t]*$/) text = text substr(line, RSTART, RLENGTH)
            else text = text "\"\""
            line = substr(line, RSTART + (rest == "/*" ? 2 : RLENGTH))
        } else return text line
    }
    return text
}

function check_include(name, line, code,    target, from, to) {
    sub(/^[ \t]*#[ \t]*include[ \t]*/, "", code)
    if (code !~ /^[<"]/) { breach(name, line, "an include names its file, so that floors can be checked"); return }
    target = substr(code, 2, match(substr(code, 2), /[>"]/) - 1)
    if (target in only && index(name, only[target]) != 1)
        breach(name, line, target " may be included in " only[target] " only")
    if (target == "cblas.h" && index(name, "kernels/") == 1) {
        if (cblas != "" && cblas != name) breach(name, line, "cblas.h may be included in one file only, and " cblas " is it")
        cblas = name
    }
    from = room_of(name)
    if (code !~ /^"/ || from == "") return
    if ((target = resolve(name, target)) == "") return
    to = room_of(target)
    if (to == "") { breach(name, line, "sources may not include from tests/"); return }
    if (to == from || !(from in floor) || !(to in floor)) return
    if (floor[to] >= floor[from])
        breach(name, line, from " (floor " floor[from] ") may not include from " to " (floor " floor[to] ")")
}

function check(name,    line, n, text, code, room, header, before, folder) {
    room = room_of(name)
    if (room != "") { folder = name; sub(/\/[^\/]*$/, "", folder); size[folder]++ }
    if (room != "" && !(room in floor)) breach(name, 1, "room " room " has no floor: give it one in scripts/floors.sh")
    header = name ~ /\.(h|inc)$/
    n = 0; within = 0; before = ""
    while ((getline text < name) > 0) {
        n++
        code = code_of(text)
        if (code ~ /^[ \t]*#[ \t]*include/) check_include(name, n, code)
        if (room == "kernels" && match(code, "(^|[^A-Za-z0-9_])" banned "[ \t]*\\(")) {
            text = substr(code, RSTART, RLENGTH)
            gsub(/[^a-z_]/, "", text)
            breach(name, n, "kernels/ never allocates and does no I/O: " text)
        }
        if (header && code ~ /(^|[^A-Za-z0-9_])inline([^A-Za-z0-9_]|$)/ && (before " " code) !~ /static/)
            breach(name, n, "an inline function in a header is static")
        before = code
    }
    close(name)
    if (name == "harness/commands/main.c" && n >= 60) breach(name, n, "main.c stays under 60 lines")
}'
