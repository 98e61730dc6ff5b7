# SPDX-License-Identifier: Apache-2.0
# Without /dev/fuse a container cannot start, and the message names it; the image is kept.
# Root only: another user could not hide the device.
load busybox
mount --bind /dev/null /dev/fuse
code 125 lyr run --rm busybox true
has "$err" /dev/fuse
umount /dev/fuse
prints back lyr run --rm busybox echo back
