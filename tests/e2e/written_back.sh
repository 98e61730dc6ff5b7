# SPDX-License-Identifier: Apache-2.0
# What the kernel writes back by itself, and not since a file is closed, is not shown as older than
# it is when its container starts again.
load busybox
modes=auto
[ "$LYR_MODE" = single ] || modes+=" fuse"
[ ! -e /sys/module/fuse/parameters/enable_uring ] || modes+=" io_uring"
# The shell keeps the file open: what closes it is the first command alone.
program='[ ! -e /log ] || exec stat -c %Y /log
  { touch -d @2000 /log; echo written; sync -f /log; } >>/log'
for mode in $modes; do
  before=$(date +%s)
  lyr run --name c --union $mode busybox sh -c "$program"
  shown=$(lyr start -a c)
  [ "$shown" -ge "$before" ] || fail "$mode: written at $before, shown as of $shown"
  lyr rm c >/dev/null
done
