# SPDX-License-Identifier: Apache-2.0
# load --keep-blob keeps compressed layers as they came, and save gives them again with the manifest
# that names them: a mirror's image has the digest it had.
manifest_of() { skopeo inspect --raw "$1" | sha256sum | cut -d ' ' -f 1; }  # transport:name
blobs() { (cd "$1" && find blobs -type f | sort | xargs sha256sum); }      # layout
wanted=$(manifest_of "oci:$images/debian:latest")
lyr load "$images/debian" >/dev/null
lyr save --format oci-archive -o plain.tar debian
[ "$(manifest_of oci-archive:plain.tar)" != "$wanted" ] || fail "no blob was kept"

# Of layers that are here, and anew.
for round in here anew; do
  code 0 lyr load --keep-blob "$images/debian"
  lyr save --format oci-archive -o exact.tar debian
  same "$(manifest_of oci-archive:exact.tar)" "$wanted"
  rm -rf exact && mkdir exact && tar xf exact.tar -C exact
  same "$(blobs exact)" "$(blobs "$images/debian")"
  same "$(ls "$LYR_ROOT/store/blobs" | wc -l)" "$(inspect debian '{{len .RootFS.Layers}}')"
  lyr rmi -f debian >/dev/null
done
lyr load --keep-blob -i exact.tar >/dev/null
lyr save --format oci-archive -o again.tar debian
cmp exact.tar again.tar
lyr save debian >docker.tar
lyr --root plain load -i docker.tar >/dev/null
prints "$(inspect debian '{{.Id}}')" lyr --root plain inspect -f '{{.Id}}' debian
lyr rmi debian >/dev/null
lyr load -i "$images/busybox.tar" >/dev/null  # sweeps
same "$(ls "$LYR_ROOT/store/blobs")" ""

# What is not what it should be is not kept.
cp -r "$images/busybox" damaged
blob=$(find damaged/blobs -type f -size +100k)
printf 'x' | dd of="$blob" bs=1 seek=5000 conv=notrunc status=none
code 1 lyr load --keep-blob damaged
has "$err" damaged
same "$(ls "$LYR_ROOT/store/blobs")" ""
