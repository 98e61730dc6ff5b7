# SPDX-License-Identifier: Apache-2.0
# One image is one image, whatever it comes in: archive, layout, pipe, compressed archive.
source_archive=$images/busybox.tar
skopeo --insecure-policy copy -q "oci:$images/busybox:latest" oci-archive:image.oci:one:oci
gzip -c "$source_archive" >image.tar.gz
zstd -q "$source_archive" -o image.tar.zst

code 0 lyr load -i "$source_archive"
has "$out" "Loaded image: lyr.test/busybox:latest"
# What is no image is refused before it has filled the disk.
code 1 eval 'yes | head -c 300000000 | lyr load'
has "$err" "not an image"
code 1 lyr load -i /dev/zero
has "$err" "not an image"

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

# A layout gives its images tags; what they are tags of is its own name.
for tag in one two; do
  skopeo --insecure-policy copy -q "oci:$images/busybox:latest" "oci:mine:$tag"
done
tar cf mine.tar -C mine .
for way in "$PWD/mine/" "-i mine.tar"; do
  lyr rmi -f "$id" >/dev/null
  prints "Loaded image: mine:one Loaded image: mine:two" eval "lyr load $way | xargs"
  prints "$id" lyr inspect -f '{{.Id}}' mine:two
done
