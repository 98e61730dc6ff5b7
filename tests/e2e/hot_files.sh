# SPDX-License-Identifier: Apache-2.0
# The first write to a large file of the image copies it; the next container, of any image, shares
# the blocks of that copy where the host's file system can. What is kept for that is disposable.
export LYR_UNION=fuse
mount_disk() {  # kind: a gigabyte of it at on/
  grep -qw "$1" /proc/filesystems || skip "this kernel has no $1"
  command -v "mkfs.$1" >/dev/null || skip "no mkfs.$1: tools/deps --peers installs it"
  [ -e /dev/loop-control ] || skip "no loop devices"
  rm -f disk
  truncate -s 1G disk
  "mkfs.$1" -q disk >/dev/null
  mkdir -p on
  mount -o loop disk on
}
trap 'at_exit $? eval "mountpoint -q on && umount on"' EXIT
change() {  # name, text: prints the sum of perl with 8 of its bytes replaced
  lyr run --name "$1" debian sh -c "printf %s $2 | dd of=/usr/bin/perl bs=1 seek=5000 conv=notrunc \
    status=none && cp /usr/bin/perl /copy && sha256sum </copy"
}
hot() { ls on/root/store/hot 2>/dev/null | wc -l; }
shared() { filefrag -v "on/root/containers/$1/upper/usr/bin/perl" | grep -c shared; }
for kind in xfs btrfs ext4; do
  mount_disk $kind
  export LYR_ROOT=$PWD/on/root
  load debian
  one=$(change one 11111111)
  two=$(change two 22222222)
  [ "$one" != "$two" ] || fail "what one wrote is in two"
  same "$(change three 11111111)" "$one"
  if [ $kind = ext4 ]; then
    same "$(hot)" 0
    wait_for umount on
    continue
  fi
  same "$(hot)" 1
  for name in one two three; do
    (($(shared "$(inspect $name '{{.Id}}')") > 0)) || fail "$kind: $name shares nothing"
  done
  code 0 lyr store scrub -q
  has "$out" "Hot files: 1 whole, 0 removed"
  chmod u+w on/root/store/hot/*
  printf damage | dd of="$(echo on/root/store/hot/*)" bs=1 seek=9000 conv=notrunc status=none
  same "$(change four 11111111)" "$one"
  code 0 lyr store scrub -q
  has "$out" "Hot files: 1 whole, 0 removed"
  has "$(lyr store stats)" "Hot files"
  code 0 lyr gc
  has "$out" "Hot files: 1 removed"
  same "$(hot)" 0
  same "$(lyr start -a four)" "$one"
  remove_containers
  wait_for umount on
done
