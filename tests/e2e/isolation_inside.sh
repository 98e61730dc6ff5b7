# SPDX-License-Identifier: Apache-2.0
# What a container sees of the world: itself.
load busybox
run() { lyr run --rm busybox sh -c "$1"; }
prints 1 run 'echo $$'
same "$(run 'echo /proc/[0-9]*')" /proc/1
prints lo run 'ls /sys/class/net'
matches "$(run hostname)" '^[0-9a-f]{12}$'
code 1 run "ls $LYR_TEST_IMAGES"
same "$(run 'head -c 1 /proc/kcore 2>/dev/null | wc -c')" 0
same "$(run 'ls /proc/scsi /sys/firmware 2>/dev/null | grep -v : | wc -w')" 0
code 1 run 'echo 1 >/proc/sys/kernel/panic'
has "$err" "Read-only"
code 1 run 'touch /sys/file'
code 1 run 'mount -t tmpfs tmpfs /tmp'
code 1 run 'mknod /tmp/disk b 8 0 && head -c 1 /tmp/disk'
run 'test ! -e /dev/mem -a ! -e /dev/kmsg -a ! -e /dev/fuse'
for device in null zero full random urandom tty ptmx; do run "test -c /dev/$device"; done
prints "/ /dev /proc" run "awk '\$2 ~ /^\/(dev|proc)?\$/ { print \$2 }' /proc/mounts | sort | xargs"
prints 2 run "awk '/^Seccomp:/ { print \$2 }' /proc/self/status"
