# SPDX-License-Identifier: Apache-2.0
# lyr mount on /dev/fd/N: who starts it has mounted already, as apptainer does, and unmounts. Not as
# root: in a user namespace of its own, where one may mount.
if [ "$LYR_MODE" != root ] && [ -z "${LYR_NESTED:-}" ]; then
  export LYR_NESTED=1
  exec unshare --user --map-root-user --mount bash -euo pipefail -c \
    '. "$1/lib.sh"; . "$1/mount_handed_over.sh"' mount_handed_over "$here"
fi
server() { pgrep -x lyr-union; }
no_server() { ! server; }
options=lowerdir=base,upperdir=up,workdir=work
mkdir base up work merged
echo base >base/f
mount_device() { # descriptor 9
  exec 9<>/dev/fuse
  mount -i -t fuse.test -o fd=9,rootmode=40000,user_id=0,group_id=0,default_permissions \
    test merged
}

# In the background: when it ends, there is a server.
mount_device
lyr mount -o $options /dev/fd/9
exec 9>&-
server
same "$(cat merged/f)" base
echo new >merged/new
same "$(cat up/new)" new
umount merged
wait_for no_server

# As another number, in the foreground, until it is unmounted.
mount_device
lyr mount -f -o $options /dev/fd/0 <&9 9>&- &
exec 9>&-
same "$(cat merged/new)" new
umount merged
wait $!
no_server

# A signal ends it, and the mount is its owner's.
mount_device
"$LYR" mount -f -o $options /dev/fd/9 &
exec 9>&-
same "$(cat merged/f)" base
kill -TERM $!
wait $!
grep -q " $PWD/merged " /proc/self/mountinfo
code 1 cat merged/f
has "$err" "not connected"
umount merged

# Without an upper nothing is written, whatever the mount allows.
mount_device
lyr mount -o lowerdir=base /dev/fd/9
exec 9>&-
code 1 eval 'echo x >>merged/f'
has "$err" "Read-only file system"
same "$(cat merged/f)" base
umount merged
wait_for no_server

# What is no such descriptor is said, and nothing is mounted; neither is what cannot be served.
refused() { # why, target
  code 1 lyr mount -o $options "$2"
  has "$err" "$1"
}
refused "/dev/fd/9: no such descriptor is open" /dev/fd/9
exec 9</dev/null
refused "/dev/fd/9 is not /dev/fuse" /dev/fd/9
refused "/dev/fd/2 is not /dev/fuse" /dev/fd/2
exec 9<>/dev/fuse
refused "/dev/fd/9 is not mounted" /dev/fd/9
exec 9>&-
mount_device
code 1 lyr mount -o lowerdir=absent /dev/fd/9
has "$err" "absent: No such file"
umount merged
refused "/dev/fd/9 is not mounted" /dev/fd/9
exec 9>&-
no_server
same "$(ls merged)" ""
