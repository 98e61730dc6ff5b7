# SPDX-License-Identifier: Apache-2.0
# A damaged store says what is damaged and whose it is, and is mended with an archive of the image.
flip() {  # a bit in the middle of a file
  python3 - "$1" <<'EOF'
import os, sys
with open(sys.argv[1], "r+b") as file:
    at = os.path.getsize(sys.argv[1]) // 2
    file.seek(at)
    byte = file.read(1)[0] ^ 16
    file.seek(at)
    file.write(bytes([byte]))
EOF
}
load busybox
code 0 lyr store scrub
has "$out" "no damage"
whole=$(lyr save busybox | sha256sum)
for kind in 'packs/*.pack' 'layers/*.recipe' 'layers/*.tree' 'trees/*.tree'; do
  flip "$(compgen -G "$LYR_ROOT/store/$kind")"
  code 1 lyr store scrub
  has "$out" busybox
  has "$err" --repair
  code 1 lyr store scrub --repair /nowhere
  code 0 lyr store scrub --repair "$images/busybox.tar"
  has "$out" "Read again: 1 layers"
  has "$out" "no damage"
  code 0 lyr store scrub
  same "$(lyr save busybox | sha256sum)" "$whole"
done
prints hello lyr run --rm busybox echo hello
code 0 lyr gc
has "$out" "of which no image needs 0"
