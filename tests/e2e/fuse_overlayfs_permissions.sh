# SPDX-License-Identifier: Apache-2.0
# xattr_permissions=1 and 2: what fuse-overlayfs keeps in attributes of an upper directory lyr
# shows, and what lyr keeps fuse-overlayfs shows; so too in layers with the attributes of either, or
# of containers/storage. Owners only as root: a user namespace of one id knows one.
command -v fuse-overlayfs >/dev/null || skip "fuse-overlayfs is not installed (tools/deps --peers)"
if [ "$LYR_MODE" != root ] && [ -z "${LYR_NESTED:-}" ]; then
  export LYR_NESTED=1
  exec unshare --user --map-root-user --mount bash -euo pipefail -c \
    '. "$1/lib.sh"; . "$1/fuse_overlayfs_permissions.sh"' permissions "$here"
fi
umask 022
user=user.fuseoverlayfs.override_stat
security=security.fuseoverlayfs.override_stat
setattr() { setfattr -n "$1" -v "$2" "$3"; }

shows() { (cd m && find . ! -type s -exec stat -c '%n %F %u:%g %a %t:%T' {} + | sort); }
union() { "$1" "${@:2}" -o "lowerdir=low,upperdir=up,workdir=work$option" m 2>/dev/null; }
by_lyr() { union lyr mount; }
by_other() { union fuse-overlayfs; }
own() { [ "$LYR_MODE" != root ] || chown "$@"; }
fresh() {
  rm -rf low up work
  mkdir -p low/d up work m
  echo text | tee low/kept low/f >low/d/g
  chmod 0640 low/f
}
# fuse-overlayfs forgets an owner when it changes a mode, makes symlinks and pipes in mode 2 only,
# and of a device a file without sense: it is not asked for those.
change() {
  echo new >m/new && chmod 4751 m/new && chmod 3770 m/d && own 5:6 m/f && echo more >>m/d/g
  mkdir m/made && chmod 0700 m/made && own 7:8 m/made && echo a >m/made/b && chmod 0604 m/made/b
}
both_show() {  # what
  by_other && same "$(shows)" "$1" && umount m
  by_lyr && same "$(shows)" "$1" && umount m
}
turn() {  # who mounts and changes
  local before
  "$1"
  change
  before=$(shows)
  umount m
  both_show "$before"
  has "$before" "./made/b regular file 0:0 604"
  has "$before" "./d directory 0:0 3770"
  [ "$LYR_MODE" != root ] || has "$before" "./f regular file 5:6 640"
  # On disk all are alike; it is the attribute that says so.
  same "$(find up -type f ! -name '.wh.*' ! -perm 755)$(find up -mindepth 1 -type d ! -perm 755)" ""
  matches "$(getfattr --only-values -n "$name" up/new)" '^0:0:(10)?[0-7]?751$'
}

names=$user
[ "$LYR_MODE" != root ] || names+=" $security"
for name in $names; do
  option=,xattr_permissions=2
  [ $name = $user ] || option=,xattr_permissions=1
  for who in by_lyr by_other; do
    fresh
    turn $who
    # What the other goes on with.
    other=by_lyr
    [ $who = by_other ] || other=by_other
    $other && chmod 0611 m/made/b && echo x >m/third && chmod 0600 m/third && before=$(shows)
    umount m
    has "$before" "./made/b regular file 0:0 611"
    both_show "$before"
  done
  # Everything, by lyr.
  fresh
  by_lyr
  change
  own 3:4 m/new && chmod 0700 m/d && own 9:9 m/d && ln -s f m/link && mkfifo m/pipe
  chmod 0600 m/pipe && own -h 8:9 m/link
  [ "$LYR_MODE" != root ] || { mknod m/null c 1 3 && chown 2:2 m/null; }
  code 1 setfattr -n $name -v 0:0:4777 m/new
  code 1 getfattr -n $name m/new
  before=$(shows)
  umount m
  [ "$LYR_MODE" != root ] || has "$before" "./d directory 9:9 2700"
  both_show "$before"
done

for name in $names user.containers.override_stat; do  # layers
  for option in "" ,xattr_permissions=2; do
    fresh
    setattr $name 0:0:0755 low && setattr $name 0:0:0700 low/d && setattr $name 0:0:2640 low/d/g
    setattr $name 0:0:0604:file low/f && setattr $name 0:0:100600 low/kept
    by_other && before=$(shows) && umount m
    has "$before" "./d/g regular file 0:0 2640"
    both_show "$before"
    # Copied up by lyr.
    by_lyr && touch m/d/g m/f && umount m
    both_show "$before"
  done
done
[ "$LYR_MODE" = root ] || {
  fresh
  code 1 lyr mount -o lowerdir=low,upperdir=up,workdir=work,xattr_permissions=1 m
  has "$err" "takes no $security"
}
wait_for eval '! pgrep -x "lyr-union|fuse-overlayfs"'
