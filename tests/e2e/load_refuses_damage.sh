# SPDX-License-Identifier: Apache-2.0
# A damaged or hostile archive is refused with a sentence, and nothing of it is kept.
load debian  # and not what is damaged: a layer that is here need not be in an archive
before=$(kept)
names=$(lyr images --no-trunc --format '{{.Repository}} {{.Tag}} {{.ID}} {{.Size}}')
python3 "$here/damage.py" "$images/busybox.tar" "$images/busybox" .
refused=0
for bad in bad-*; do
  if [ -d "$bad" ]; then code 1 lyr load "$PWD/$bad"; else code 1 lyr load -i "$bad"; fi
  matches "$err" '^lyr load: .{10,}'
  lacks "$err" "terminate called"
  [ "$(kept)" = "$before" ] || fail "$bad: something was kept:"$'\n'"$(kept)"
  same "$(lyr images --no-trunc --format '{{.Repository}} {{.Tag}} {{.ID}} {{.Size}}')" "$names"
  refused=$((refused + 1))
done
[ $refused -ge 12 ] || fail "only $refused damaged archives were made"
prints works lyr run --rm debian echo works
[ ! -e "$TMPDIR/escaped" ] || fail "a file was written outside"
