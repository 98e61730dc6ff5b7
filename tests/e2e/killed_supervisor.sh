# SPDX-License-Identifier: Apache-2.0
# When its supervisor is killed, a container's program ends with it; its files stay.
load busybox
lyr run -d --name c busybox sh -c 'echo kept >/file; echo up; sleep 1000' >/dev/null
wait_for eval 'lyr logs c | grep -q up'
pid=$(pid_of c)
for process in $(pgrep -x lyr); do kill -9 "$process" 2>/dev/null || true; done
wait_for eval "! kill -0 $pid 2>/dev/null"
code 0 lyr ps -a
matches "$(status_of c)" '^(exited|dead)$'
prints kept eval 'lyr cp c:/file - | tar xO'
lyr start c >/dev/null
is_status c running || fail "does not start again: $(status_of c)"
