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
# A new volume begins with what the image has there; a used one does not change.
load debian
prints same eval 'lyr run --rm debian cat /etc/passwd >image.passwd
  lyr run --rm -v fresh:/etc debian sh -c "cat /etc/passwd; echo mine >/etc/passwd" >seeded
  cmp image.passwd seeded && echo same'
prints mine lyr run --rm -v fresh:/etc debian cat /etc/passwd
prints 127.0.0.1 lyr run --rm -v fresh:/etc debian awk 'NR == 1 { print $1 }' /etc/hosts
listing='cd /var; find . | sort | xargs stat -c "%n %f %u %g %Y"
  find . -type f | sort | xargs cksum'
lyr run --rm debian sh -c "$listing" >in-image
lyr run --rm -v seeded-var:/var debian sh -c "$listing" >in-volume
cmp in-image in-volume || fail "a seeded volume differs from the image"
