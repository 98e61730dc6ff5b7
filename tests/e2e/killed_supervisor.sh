# SPDX-License-Identifier: Apache-2.0
# When all of lyr's processes are killed the next command ends the container's program; its files
# stay.
load busybox
lyr run -d --name c busybox sh -c 'echo kept >>/file; echo up; sleep 1000' >/dev/null
wait_for eval 'lyr logs c | grep -q up'
pid=$(pid_of c)
for process in $(pgrep -f "^$LYR "); do kill -9 "$process" 2>/dev/null || true; done
code 0 lyr ps -a
wait_for eval "! kill -0 $pid 2>/dev/null"
matches "$(status_of c)" '^(exited|dead)$'
lyr start c >/dev/null
is_status c running || fail "does not start again: $(status_of c)"
wait_for lyr exec c sh -c '[ $(wc -l </file) = 2 ]'
