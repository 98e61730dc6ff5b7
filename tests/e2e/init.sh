# SPDX-License-Identifier: Apache-2.0
# --init puts a small init at pid 1: it reaps orphans and passes signals on.
load busybox
lyr run -d --init --name i busybox sh -c 'trap "exit 9" TERM; (sh -c "sleep 0 &" &); echo up;
  while :; do sleep 0.1; done' >/dev/null
wait_for eval 'lyr logs i | grep -q up'
lacks "$(lyr exec i ps)" "[sleep]"
[ "$(lyr exec i cat /proc/1/comm)" != sh ] || fail "the program itself is pid 1"
lyr kill -s TERM i >/dev/null
prints 9 lyr wait i
