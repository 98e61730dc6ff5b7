# SPDX-License-Identifier: Apache-2.0
# Two containers of one image share its files and see nothing of each other.
load busybox
lyr run -d --name one busybox sh -c 'echo one >/mine; rm /bin/vi; sleep 1000' >/dev/null
lyr run -d --name two busybox sh -c 'echo two >/mine; sleep 1000' >/dev/null
for name in one two; do
  wait_for lyr exec $name test -e /mine
  prints $name lyr exec $name cat /mine
  same "$(lyr exec $name ps | grep -c 'sleep 1000')" 1
done
wait_for eval '! lyr exec one test -e /bin/vi'
code 0 lyr exec two test -e /bin/vi
code 0 lyr run --rm busybox test -e /bin/vi
code 1 lyr run --rm busybox test -e /mine
for kind in mnt pid net ipc uts; do
  [ "$(lyr exec one readlink /proc/self/ns/$kind)" != \
    "$(lyr exec two readlink /proc/self/ns/$kind)" ] || fail "they share a $kind namespace"
done
same "$(lyr ps -q | wc -l)" 2
