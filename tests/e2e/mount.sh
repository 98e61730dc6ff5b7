# SPDX-License-Identifier: Apache-2.0
# lyr mount: a union of plain directories stands when the command ends; its server ends with it, by
# umount and by signal. Not as root: in a user namespace of its own, where one may mount.
if [ "$LYR_MODE" != root ] && [ -z "${LYR_NESTED:-}" ]; then
  export LYR_NESTED=1
  exec unshare --user --map-root-user --mount bash -euo pipefail -c \
    '. "$1/lib.sh"; . "$1/mount.sh"' mount "$here"
fi
server() { pgrep -x lyr-union; }
no_server() { ! server; }
unmounted() { ! mountpoint -q merged; }
writable=lowerdir=patch:base,upperdir=up,workdir=work
mkdir base base/d patch up work merged
echo base >base/f; echo patch >patch/f; echo 1 >base/d/g

lyr mount -o $writable merged
same "$(cat merged/f merged/d/g)" $'patch\n1'
echo new >merged/d/new; rm merged/d/g; ln -s /etc/passwd merged/link
same "$(ls merged/d)" new
same "$(ls base/d)" g
lyr umount merged
wait_for no_server
code 1 lyr umount merged
has "$err" "not mounted"

lyr mount -o $writable,volatile merged
same "$(ls merged/d)" new
kill -9 "$(server)"
wait_for no_server
code 1 cat merged/f
has "$err" "not connected"
lyr umount merged
lyr mount -o $writable merged
same "$(cat merged/d/new)" new
kill -TERM "$(server)"
wait_for unmounted
wait_for no_server

if [ -e /sys/module/fuse/parameters/enable_uring ]; then
  lyr mount -o $writable,io_uring merged
  same "$(cat merged/d/new)" new
  echo ring >merged/d/ring
  lyr umount merged
  wait_for no_server
  same "$(cat up/d/ring)" ring
  rm up/d/ring
fi

lyr mount -o lowerdir=patch:base,squash_to_uid=0 merged
code 1 touch merged/x
has "$err" "Read-only"
lyr umount merged
wait_for no_server
code 1 lyr mount -o lowerdir=absent merged
has "$err" "absent: No such file"
code 1 lyr mount -o lowerdir=base,metacopy=on merged
has "$err" "lyr does not do that"
same "$(cd "$TMPDIR" && ls work)" work
