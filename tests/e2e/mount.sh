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
one_server() { [ "$(server | wc -l)" = 1 ]; }
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
code 1 lyr mount -o $writable merged
has "$err" "up was mounted with \`volatile\` and not unmounted"
same "$(ls work/work/incompat)" volatile
rm -r work/work/incompat
lyr mount -o $writable,volatile merged
lyr umount merged
wait_for no_server
code 1 test -e work/work/incompat # since it ended well
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

# Two servers would each show what the other has changed already.
lyr mount -o $writable merged
code 1 flock -n work/work true
code 1 flock -n up true
lyr umount merged
lyr mount -o $writable merged # the server before it may still be ending
lyr umount merged
wait_for no_server

# Nothing that is to be kept is emptied or written to: what is named twice is refused before that.
mkdir -p up/work/keep work/work/up other/work other/up
refused() { # why the mount with these options is
  code 1 lyr mount -o "$2" merged
  has "$err" "$1"
  code 32 mountpoint -q merged
}
echo kept | tee up/work/keep/f work/work/up/f other/work/f >/dev/null
refused "neither may be" lowerdir=base,upperdir=up,workdir=up
refused "neither may be" lowerdir=base,upperdir=work/work/up,workdir=work
refused "neither may be" lowerdir=base,upperdir=other/up,workdir=other
refused "neither may be" lowerdir=base,upperdir=up,workdir=up/work
refused "lies in work" lowerdir=work,upperdir=up,workdir=work
refused "lies in work" lowerdir=base:work/work/up,upperdir=up,workdir=work
refused "lies in up" lowerdir=base:up/work,upperdir=up,workdir=work
refused "lies in up" lowerdir=base::up/work,upperdir=up,workdir=work
mkdir same
mount --bind up same
refused "lies in up" lowerdir=same,upperdir=up,workdir=work
mount -o remount,bind,ro same
refused "same is read-only" lowerdir=base,upperdir=same,workdir=work
umount same
mount --bind work/work/up same # another name for what is emptied
refused "lies in work" lowerdir=same,upperdir=up,workdir=work
refused "neither may be" lowerdir=base,upperdir=same,workdir=work
umount same
mount --bind work same
refused "lies in same" lowerdir=work/work/up,upperdir=up,workdir=same
umount same
same "$(cat up/work/keep/f work/work/up/f other/work/f)" $'kept\nkept\nkept'
lyr mount -o lowerdir=.,upperdir=up,workdir=work merged # as it is below itself, nothing is emptied
same "$(cat merged/base/f)" base
lyr umount merged
wait_for no_server
mkdir -p up/other
mount -t tmpfs none up/other # a layer of its own, wherever it is mounted
mkdir up/other/layer
echo layer >up/other/layer/f
lyr mount -o lowerdir=up/other/layer,upperdir=up,workdir=work merged
same "$(cat merged/f)" layer
lyr umount merged
wait_for no_server
umount up/other

# A union whose upper is on another one, which takes no attributes of symlinks.
lyr mount -o $writable merged
mkdir merged/{l,u,w,m}
ln -s target merged/l/link
lyr mount -o lowerdir=merged/l,upperdir=merged/u,workdir=merged/w merged/m
touch -h merged/m/link
chown -h 0:0 merged/m/link
mv merged/m/link merged/m/moved
same "$(readlink merged/m/moved) $(ls merged/m)" "target moved"
lyr umount merged/m
wait_for one_server
lyr umount merged
wait_for no_server
mkdir -p work/work/incompat/new
refused "in a way that lyr does not know" $writable
