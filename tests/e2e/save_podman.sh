# SPDX-License-Identifier: Apache-2.0
# podman loads what save writes, and has the same image then.
load busybox
podman() { command podman --root "$PWD/p" --runroot "$PWD/r" --storage-driver vfs "$@"; }
command -v podman >/dev/null || skip "podman is not installed"
lyr tag busybox team/tool:1
id=$(inspect busybox '{{.Id}}')
for format in docker-archive oci-archive; do
  lyr save --format "$format" -o image.tar team/tool:1
  has "$(podman load -q -i image.tar)" "docker.io/team/tool:1"
  same "sha256:$(podman images -q --no-trunc | sed s/^sha256://)" "$id"
  same "$(podman inspect -f '{{range .RootFS.Layers}}{{.}} {{end}}' team/tool:1)" \
    "$(inspect busybox '{{range .RootFS.Layers}}{{.}} {{end}}')"
  podman rmi -f team/tool:1 >/dev/null
done
lyr save team/tool:1 busybox | podman load -q >/dev/null
same "$(podman images -q | sort -u | wc -l)" 1
# A committed image, too: what is new, and what is deleted.
lyr run --name c busybox sh -c 'echo new >/etc/new; rm /etc/group; chmod 4711 /etc/passwd'
id=$(lyr commit c team/changed:1)
lyr save team/changed:1 | podman load -q >/dev/null
same "sha256:$(podman images -q --no-trunc team/changed:1 | sed s/^sha256://)" "$id"
root=$(podman image mount team/changed:1)
same "$(cat "$root/etc/new") $(stat -c %a "$root/etc/passwd")" "new 4711"
[ ! -e "$root/etc/group" ] || fail "podman shows what was deleted"
podman image umount team/changed:1 >/dev/null
