# SPDX-License-Identifier: Apache-2.0
# Whatever a layer's tar is like, it comes out byte for byte: sparse files in GNU's forms, paths
# twice, pax records that nobody knows, bytes after the end.
mkdir tree
truncate -s 3M tree/sparse
echo data | dd of=tree/sparse bs=1M seek=1 conv=notrunc status=none
echo tail >>tree/sparse
tar -cSf gnu.tar --format=gnu tree
for version in 0.0 0.1 1.0; do
  tar -cSf $version.tar --format=pax --sparse-version=$version tree
done
python3 -B - "$here" <<'MAKE'
import sys
sys.path.insert(0, sys.argv[1])
from damage import entry, saved_image, tar_of
odd = tar_of(entry("twice", b"first"), entry("twice", b"second"),
             entry("x", b"1", pax_headers={"vendor.key": "v\nw", "mtime": "1.123456789"}))
open("rubbish.tar", "wb").write(odd + b"\1rubbish after the end" * 100)
for name in ("gnu", "0.0", "0.1", "1.0", "rubbish"):
    open(name + ".image", "wb").write(saved_image(open(name + ".tar", "rb").read()))
MAKE
for how in gnu 0.0 0.1 1.0 rubbish; do
  lyr load -i $how.image >/dev/null
  digest=$(sha256sum <$how.tar | cut -d ' ' -f 1)
  for format in docker-archive oci-archive; do
    lyr save --format $format -o saved.tar bad
    rm -rf out && mkdir out && tar xf saved.tar -C out
    cmp $how.tar "$(find out -type f -name "$digest*")"
    skopeo --insecure-policy copy -q "$format:saved.tar" "dir:copy-$how-$format"
  done
done
