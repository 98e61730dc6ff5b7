# SPDX-License-Identifier: Apache-2.0
# What save writes, skopeo reads and load takes back: the same config, the same layers, the names.
load busybox debian
lyr tag busybox team/tool:1
lyr tag busybox team/tool:2
id=$(inspect busybox '{{.Id}}')
layers() { python3 -c 'import json, sys; print(*json.load(sys.stdin)["rootfs"]["diff_ids"])'; }
diff_ids=$(inspect busybox '{{range .RootFS.Layers}}{{.}} {{end}}' | xargs)

for format in docker-archive oci-archive; do
  code 0 lyr save --format "$format" -o one.tar team/tool:1
  same "$out$err" ""
  code 0 eval 'lyr image save --format "$format" team/tool:1 >two.tar'
  cmp one.tar two.tar
  skopeo inspect --raw --config "$format:one.tar" >config
  same "sha256:$(sha256sum <config | cut -d ' ' -f 1)" "$id"
  same "$(layers <config)" "$diff_ids"
  rm -rf copied
  skopeo --insecure-policy copy -q "$format:one.tar" dir:copied
  prints "Loaded image: team/tool:1" lyr --root again load -i one.tar
  prints "$id" lyr --root again inspect -f '{{.Id}}' team/tool:1
  lyr --root again rmi -f "$id" >/dev/null
done
has "$(tar xOf one.tar index.json)" '"org.opencontainers.image.ref.name":"docker.io/team/tool:1"'

# Several images and names: a repository means all its tags, an id no name; each layer once.
for format in docker-archive oci-archive; do
  code 0 lyr save --format "$format" -o many.tar team/tool debian "${id:7:12}" team/tool:2
  same "$(tar tf many.tar | sort | uniq -d)" ""
  prints "Loaded image: team/tool:1 Loaded image: team/tool:2 Loaded image: debian:latest" \
    eval 'lyr --root again load -i many.tar | xargs'
  skopeo inspect "$format:many.tar:docker.io/team/tool:2" >/dev/null
  lyr --root again rmi -f team/tool:1 team/tool:2 debian >/dev/null
done
lyr save "${id:7:12}" >nameless.tar
prints "Loaded image ID: $id" lyr --root again load -i nameless.tar
code 1 lyr save -o none.tar busybox no/such:image
has "$err" no/such:image
[ ! -e none.tar ] || fail "a file for nothing"
code 1 lyr save --format docker-dir -o x busybox
has "$err" oci-archive
