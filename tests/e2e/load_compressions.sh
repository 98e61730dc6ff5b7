# SPDX-License-Identifier: Apache-2.0
# Layers stored plain, as gzip and as zstd are the same layers, and are kept once.
first=
for kind in plain gzip zstd; do
  how=(--dest-compress --dest-compress-format "$kind")
  [ $kind != plain ] || how=(--dest-decompress)
  skopeo --insecure-policy copy -q "${how[@]}" "oci:$images/busybox:latest" "dir:$kind" >/dev/null
  skopeo --insecure-policy copy -q "dir:$kind" "oci:layout-$kind:$kind" >/dev/null
  code 0 lyr load "$PWD/layout-$kind"
  lyr tag "$(awk '/^Loaded image/ { print $NF }' <<<"$out")" "$kind"
  layers=$(inspect "$kind" '{{json .RootFS.Layers}}')
  same "$layers" "${first:=$layers}"
  same "$(lyr run --rm "$kind" sha256sum /bin/busybox)" \
    "$(lyr run --rm plain sha256sum /bin/busybox)"
done
same "$(find "$LYR_ROOT" -name '*.recipe' | wc -l)" 1
