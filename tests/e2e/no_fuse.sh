# SPDX-License-Identifier: Apache-2.0
# Without /dev/fuse a container cannot start, and the message names it; the image is kept.
# Root only: another user could not hide the device.
load busybox
mkdir dev
mount -t tmpfs none dev
for device in null zero full random urandom tty; do
  touch dev/$device
  mount --bind /dev/$device dev/$device
done
mount --rbind dev /dev
code 125 lyr run --rm busybox true
has "$err" /dev/fuse
umount --lazy /dev
prints back lyr run --rm busybox echo back
