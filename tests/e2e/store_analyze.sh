# SPDX-License-Identifier: Apache-2.0
# Schemes of deduplication side by side: an image counts the same from the store and from its
# archive, and lyr's own rule is what the store says it keeps.
load busybox
lyr store analyze --format csv busybox >stored.csv
lyr store analyze --format csv "$images/busybox.tar" >archive.csv
columns() { cut -d, -f1-9 "$1"; }  # all but what a clock says
same "$(columns archive.csv)" "$(columns stored.csv)"
[ "$(wc -l <stored.csv)" -gt 10 ] || fail "few schemes: $(cat stored.csv)"

# A layer by itself, compressed or not, by name or from a pipe.
tar xf "$images/busybox.tar"
layer=$(python3 -c 'import json; print(json.load(open("manifest.json"))[0]["Layers"][0])')
gzip -nc <"$layer" >layer.tar.gz
for input in "./$layer" ./layer.tar.gz; do
  lyr store analyze --format csv "$input" >layer.csv
  same "$(columns layer.csv)" "$(columns stored.csv)"
done
same "$(lyr store analyze --format csv - <"$images/busybox.tar" | cut -d, -f1-9)" \
  "$(columns stored.csv)"

code 0 lyr store stats --format json
kept=$(python3 -c 'import json, sys; print(json.load(sys.stdin)["store"]["hot_bytes"])' <<<"$out")
same "$(awk -F, '$1 == "lyr" { print $7 }' stored.csv)" "$kept"
code 0 lyr store stats
has "$out" busybox:latest

# The same image twice is kept once, and read once.
code 0 lyr store analyze --schemes layer,file --format csv busybox busybox
[ "$(awk -F, '$1 == "layer" { print $3 / $7 }' <<<"$out")" = 2 ] || fail "$out"
lyr store analyze --schemes lyr,file -o page.html busybox
has "$(cat page.html)" "<svg"
code 1 lyr store analyze --schemes fastcdc-8 busybox
has "$err" "did you mean fastcdc-8k?"
code 1 lyr store analyze no-such-image
has "$err" no-such-image
head -c 300000 "$layer" >cut.tar
code 1 lyr store analyze ./cut.tar
has "$err" cut.tar
