# SPDX-License-Identifier: Apache-2.0
# Host directories, named volumes, tmpfs and a read-only root.
load busybox
mkdir shared
echo outside >shared/file
prints outside lyr run --rm -v "$PWD/shared:/data" busybox cat /data/file
lyr run --rm -v "$PWD/shared:/data" busybox sh -c 'echo inside >/data/made'
same "$(cat shared/made)" inside
same "$(stat -c %u shared/made)" "$(id -u)"
code 1 lyr run --rm -v "$PWD/shared:/data:ro" busybox touch /data/other
has "$err" "Read-only"
prints kept eval 'lyr run --rm -v named:/v busybox sh -c "echo kept >/v/f" &&
  lyr run --rm -v named:/elsewhere busybox cat /elsewhere/f'
prints tmpfs lyr run --rm --tmpfs /scratch:size=1m busybox \
  sh -c 'awk "\$2 == \"/scratch\" { print \$3 }" /proc/mounts'
code 1 lyr run --rm --tmpfs /scratch:size=1m busybox dd if=/dev/zero of=/scratch/f bs=1M count=3
code 1 lyr run --rm --read-only busybox touch /file
has "$err" "Read-only"
prints ok lyr run --rm --read-only --tmpfs /tmp busybox sh -c 'touch /tmp/file && echo ok'
code 125 lyr run --rm -v relative/path:x busybox true
has "$err" absolute
