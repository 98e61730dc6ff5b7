# SPDX-License-Identifier: Apache-2.0
# --init puts a small init at pid 1: it reaps orphans and passes signals on.
load busybox
lyr run -d --init --name i busybox sh -c 'trap "exit 9" TERM
  sh -c "sh -c \"echo \\\$\\\$ >/orphan; until [ -e /go ]; do sleep 0.05; done\" &"
  echo up
  while :; do sleep 0.1; done' >/dev/null
wait_for eval 'lyr logs i | grep -q up'
[ "$(lyr exec i cat /proc/1/comm)" != sh ] || fail "the program itself is pid 1"
wait_for lyr exec i test -s /orphan
orphan=$(lyr exec i cat /orphan)
prints 1 lyr exec i awk '$1 == "PPid:" { print $2 }' "/proc/$orphan/status"
lyr exec i touch /go
wait_for lyr exec i test ! -e "/proc/$orphan"
lyr kill -s TERM i >/dev/null
prints 9 lyr wait i
