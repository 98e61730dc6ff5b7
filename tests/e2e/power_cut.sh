# SPDX-License-Identifier: Apache-2.0
# What a disk holds at one moment is what a power cut leaves: a loaded image is whole in it, and
# what a container copied up too.
truncate -s 600M disk
mke2fs -q -t ext4 -E lazy_itable_init=0,lazy_journal_init=0 disk
mkdir before after
mount -o loop,commit=900 disk before
trap 'at_exit $? umount before after' EXIT
cut() {  # as the disk is now, after the journal was played back
  ! mountpoint -q after || wait_for umount after
  cp --sparse=always disk cut
  mount -o loop cut after
  e2fsck -fn cut >/dev/null 2>&1 || true
  export LYR_ROOT=$PWD/after/root
}
export LYR_ROOT=$PWD/before/root
load debian
cut
matches "$(lyr images --format '{{.Repository}}' | xargs)" '^(debian )?lyr.test/debian$'
lyr run --rm lyr.test/debian sh -c 'cd /usr/bin && sha256sum *' >from-cut
wait_for umount after  # the last container's supervisor may still be at it
LYR_ROOT=$PWD/before/root
lyr run --rm debian sh -c 'cd /usr/bin && sha256sum *' >from-disk
cmp from-disk from-cut
# Another file's fsync puts the new names into the journal: the content had better be there first.
lyr run --name c debian sh -c 'mv /etc/debian_version /etc/moved; chmod 600 /usr/bin/perl
  dd if=/dev/zero of=/other bs=4k count=1 conv=fsync 2>/dev/null; cat /etc/moved' >moved
cut
lyr cp c:/etc/moved - | tar xO | cmp - moved
