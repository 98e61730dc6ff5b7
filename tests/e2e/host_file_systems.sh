# SPDX-License-Identifier: Apache-2.0
# The store and a container's changes may lie on ext4, XFS, btrfs or a tmpfs: all behave alike.
trap 'at_exit $? eval "mountpoint -q on && umount on"' EXIT
mkdir on
mount_disk() {  # kind: 300 MB of it at on/
  rm -f disk
  if [ "$1" = tmpfs ]; then mount -t tmpfs -o size=300m scratch on; return; fi
  grep -qw "$1" /proc/filesystems || skip "this kernel has no $1"
  command -v "mkfs.$1" >/dev/null || skip "no mkfs.$1: tools/deps --peers installs it"
  [ -e /dev/loop-control ] || skip "no loop devices"
  truncate -s 300M disk
  "mkfs.$1" -q disk >/dev/null
  mount -o loop disk on
}
changes='set -e
  cd /; echo new >/new; ln /new /root/linked; rm /etc/issue; mv /etc/apt /etc/moved
  rm -r /usr/share/doc; mkdir /usr/share/doc; chmod 4711 /usr/bin/yes; chown 7:8 /etc/debian_version
  mkfifo /fifo; ln -s nowhere /link; truncate -s 8M /hole; printf end >>/hole
  cp -p /usr/bin/perl /copy; printf x | dd of=/usr/bin/perl bs=1 seek=100 conv=notrunc status=none
  fallocate -p -o 4096 -l 4096 /copy; touch -d @1000000000.123456789 /etc/debian_version
  cd /; find bin etc fifo hole link new root usr ! -path "etc/host*" ! -path "etc/resolv.conf" \
    \( -type d -printf "%p %M %U:%G\n" -o -printf "%p %M %n %U:%G %l %s\n" \) | sort | sha256sum
  stat -c "%a %u:%g %y %n" /etc/debian_version
  find etc usr copy hole -type f ! -path "etc/h*" ! -path "etc/resolv.conf" -print0 | sort -z |
    xargs -0 cat | sha256sum'
load debian
lyr run --name c debian sh -c "$changes" >expected
lyr diff c | sort >expected-diff
remove_containers
for kind in ext4 xfs btrfs tmpfs; do
  mount_disk $kind
  export LYR_ROOT=$PWD/on/root
  load debian
  lyr run --name c debian sh -c "$changes" >got || fail "$kind: $(tail -3 got)"
  cmp got expected || fail "$kind differs: $(diff got expected)"
  lyr diff c | sort | cmp - expected-diff || fail "$kind: another diff"
  lyr run -d --name full debian sleep 1000 >/dev/null
  code 1 lyr exec full dd if=/dev/zero of=/big bs=1M count=400
  has "$err" "No space"
  lyr exec full rm /big
  prints "after on $kind" lyr exec full sh -c "echo after on $kind >/file && cat /file"
  remove_containers
  lyr load -q -i "$images/debian.tar" >/dev/null  # what is here is checked anew
  lyr rmi -f debian lyr.test/debian >/dev/null
  same "$(find on/root/store -name '*.pack' -o -name '*.tree')" ""
  wait_for umount on
done
