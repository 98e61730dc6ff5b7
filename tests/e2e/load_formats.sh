# SPDX-License-Identifier: Apache-2.0
# One image is one image, whatever it comes in: archive, layout, pipe, compressed archive.
source_archive=$images/busybox.tar
skopeo --insecure-policy copy -q "oci:$images/busybox:latest" oci-archive:image.oci:one:oci
gzip -c "$source_archive" >image.tar.gz
zstd -q "$source_archive" -o image.tar.zst

code 0 lyr load -i "$source_archive"
has "$out" "Loaded image: lyr.test/busybox:latest"
id=$(inspect lyr.test/busybox '{{.Id}}')
matches "$id" '^sha256:[0-9a-f]{64}$'

for way in oci-archive layout pipe dash gzip zstd; do
  lyr rmi -f "$id" >/dev/null
  prints "" lyr images -q
  case $way in
    oci-archive) code 0 lyr load -i image.oci ;;
    layout) code 0 lyr load "$images/busybox" ;;
    pipe) code 0 eval 'lyr load <"$source_archive"' ;;
    dash) code 0 eval 'cat "$source_archive" | lyr load -i -' ;;
    gzip) code 0 lyr load -i image.tar.gz ;;
    zstd) code 0 lyr load -i image.tar.zst ;;
  esac
  has "$out" "Loaded image"
  prints "$id" lyr images -q --no-trunc
done
