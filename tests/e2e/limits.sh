# SPDX-License-Identifier: Apache-2.0
# --ulimit is what the program sees; --memory and --pids-limit hold where cgroups are ours to make,
# and are said where not.
load busybox
prints 77 lyr run --rm --ulimit nofile=77:88 busybox sh -c 'ulimit -n'
prints 88 lyr run --rm --ulimit nofile=77:88 busybox sh -c 'ulimit -Hn'
code 125 lyr run --rm --ulimit nofile=9:2 busybox true
has "$err" nofile
code 125 lyr run --rm --ulimit nofiles=9 busybox true
has "$err" "nofile "
code 125 lyr run --rm --memory 1k busybox true
has "$err" 6m
code 125 lyr run --rm --memory many busybox true
has "$err" many
hog='a=x; while :; do a=$a$a; done'
if [ "$LYR_MODE" = root ] && grep -q memory /proc/self/cgroup; then
  code 137 lyr run --rm --memory 32m busybox sh -c "$hog"
  code 2 lyr run --rm --pids-limit 5 busybox sh -c 'for i in 1 2 3 4 5 6 7 8; do sleep 1 & done'
  has "$err" "can't fork"
else
  lyr run --rm --memory 32m --pids-limit 50 busybox true 2>said || true
  matches "$(cat said)" "lyr: warning: .*cgroup.*root"
fi
