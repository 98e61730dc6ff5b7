# SPDX-License-Identifier: Apache-2.0
# A full disk fails the write, says so, and loses nothing that was there.
export LYR_ROOT=$HOME/small/root
load busybox
code 1 lyr load -i "$images/debian.tar"
matches "$err" "[Nn]o space"
prints busybox lyr images --format '{{.Repository}}' busybox
lyr run -d --name c busybox sleep 1000 >/dev/null
code 1 lyr exec c dd if=/dev/zero of=/big bs=1M count=200
has "$err" "No space"
lyr exec c rm /big
prints after lyr exec c sh -c 'echo after >/file && cat /file'
lyr rm -f c >/dev/null
dd if=/dev/zero of="$HOME/small/rest" bs=64k 2>/dev/null || true
code 0 lyr rmi -f busybox lyr.test/busybox:latest
rm "$HOME/small/rest"
lyr load -i "$images/busybox.tar" >/dev/null
