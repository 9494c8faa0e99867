#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# toise report --html: every section is there, figures link to records whose hashes are right, nothing comes from
# elsewhere, hostile texts stay texts, thousands of nodes stay bounded, and tables come without gnuplot.
. "$(dirname "$0")/../prelude.sh"
page=$work/page.html

# report CODE ARGUMENTS...: writes the page
report() { run "$1" report "${@:2}" --html "$page"; }
# sound: the page is whole, refers to nothing outside itself, and its links lead somewhere
sound() {
    python3 - "$page" <<'EOF' || fail "$page is not sound"
import collections, html.parser, sys
text = open(sys.argv[1], encoding="utf-8").read()
void = {"meta", "link", "br", "img"}
optional = {"tr", "td", "p"}  # HTML lets their ends be left out
class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.ids, self.links, self.bad = [], [], [], []
    def handle_starttag(self, tag, attributes):
        a = dict(attributes)
        if tag in ("script", "iframe", "object", "embed", "form"):
            self.bad.append(tag)
        for name, value in a.items():
            if name.startswith("on"):
                self.bad.append(name)
            if name in ("src", "href", "xlink:href") and not value.startswith(("#", "data:,")):
                self.bad.append(value)
            if name in ("href", "xlink:href") and value.startswith("#"):
                self.links.append(value[1:])
        if "id" in a:
            self.ids.append(a["id"])
        if tag not in void:
            self.open.append(tag)
    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in void:
            self.open.pop()
    def handle_endtag(self, tag):
        while self.open and self.open[-1] != tag and self.open[-1] in optional:
            self.open.pop()
        if not self.open or self.open.pop() != tag:
            self.bad.append("</%s>" % tag)
page = Page()
page.feed(text)
twice = [i for i, n in collections.Counter(page.ids).items() if n > 1]
lost = sorted(set(page.links) - set(page.ids))
assert not page.bad, page.bad[:5]
assert not page.open, page.open
assert not twice, twice[:5]
assert not lost, lost[:5]
assert "url(http" not in text and "@import" not in text
for section in ("headline", "comparison", "scaling", "steps", "kernels", "collectives", "machines", "records"):
    assert '<section id="%s">' % section in text, section
EOF
}
has() { grep -qF -- "$1" "$page" || fail "the page lacks: $1"; }

drawn=yes
command -v gnuplot >/dev/null || drawn=no
records=results/predict-amd-epyc-zen3
report 0 "$records/machine.jsonl" "$records/trained.jsonl"
sound
if [ $drawn = yes ]; then
    has '<svg'
    has 'Roofline: GFLOP/s'
    has 'Lines: bus bandwidth'
    has 'Stacked bars'
    grep -q 'were disturbed and are ringed' "$page" || fail 'no steps over time'
else
    echo 'SKIP: drawings of the HTML page: gnuplot is not installed'
fi
# The hash of a record is sha256sum's.
line=$(sed -n 1p "$records/trained.jsonl")
has "$(printf '%s' "$line" | sha256sum | cut -d' ' -f1)"
has "$records/trained.jsonl:1"
# A comparison of the two sides, with links to records.
for i in 1 2; do sed -n "${i}p" results/reference/amd-epyc-zen5-2-cores.jsonl >"$work/side$i.jsonl"; done
sed 's/"tokens_per_s_per_node":[0-9.]*/"tokens_per_s_per_node":1/; s/"id":"[^"]*"/"id":"other"/' "$work/side1.jsonl" >"$work/other.jsonl"
report 0 "$work/side1.jsonl" "$work/other.jsonl"
sound
has 'Verdicts'
has 'inconclusive'
report 0 "$work/side1.jsonl" "$work/side2.jsonl"
has 'Not compared: '

# Texts of records are texts.
sed 's/"cpu":"[^"]*"/"cpu":"<script>alert(1)<\/script>\&\\" '"'"'set term\\u0007"/; s/"name":"node-s"/"name":"'"'"';system(1)<b>"/' \
    results/reference/amd-epyc-zen5-2-cores.jsonl >"$work/hostile.jsonl"
sed -i 's/"breakdown":{/&"<script>alert(2)<\/script>":1,/' "$work/hostile.jsonl"
report 0 "$work/hostile.jsonl"
sound
has '&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;'

# Without gnuplot the tables still come, and it is said.
mkdir "$work/bin"
ln -s "$(command -v sh)" "$work/bin/sh"
call env PATH="$work/bin" "$toise" report "$records/trained.jsonl" --html "$page"
[ $code = 0 ] || fail "without gnuplot: exit $code: $(cat "$work/err")"
sound
has 'Without drawings: gnuplot is not installed'
grep -q 'without drawings' "$work/err" || fail 'a missing gnuplot is not said'
! grep -q '<svg' "$page" || fail 'a drawing without gnuplot'

# Thousands of nodes: in seconds, and bounded.
python3 - results/reference/amd-epyc-zen5-2-cores.jsonl "$work/many.jsonl" <<'EOF'
import json, sys
r = json.loads(open(sys.argv[1]).readline())
with open(sys.argv[2], "w") as out:
    for i in range(4096):
        r["machine"]["host"] = "n%04d" % i
        r["launch"]["id"] = "launch-%d" % i
        r["machine"]["kernel"] = "6.1.%d" % (i % 3)
        print(json.dumps(r), file=out)
EOF
began=$(date +%s)
report 0 "$work/many.jsonl" >/dev/null
[ $(($(date +%s) - began)) -lt 60 ] || fail 'a page of 4,096 nodes took a minute'
[ "$(stat -c %s "$page")" -lt 8000000 ] || fail "a page of 4,096 nodes has $(stat -c %s "$page") bytes"
sound

# Refused before anything is written.
cp "$work/side1.jsonl" "$work/kept.jsonl"
refused 'both' "$toise" report "$work/kept.jsonl" --html "$work/kept.jsonl"
cmp -s "$work/side1.jsonl" "$work/kept.jsonl" || fail 'the records were overwritten'
refused 'holds records, which would be lost' "$toise" report "$work/side1.jsonl" --html "$work/kept.jsonl"
ln -s page.html "$work/link.html"
refused 'is a link, which would be replaced' "$toise" report "$work/kept.jsonl" --html "$work/link.html"
refused 'is a folder' "$toise" report "$work/kept.jsonl" --html "$work"
refused 'No such file' "$toise" report "$work/absent.jsonl" --html "$work/none.html"
[ ! -e "$work/none.html" ] || fail 'a refused report wrote its page'
exit $bad
