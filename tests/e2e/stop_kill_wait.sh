# SPDX-License-Identifier: Apache-2.0
# stop asks with the stop signal and then kills; kill sends; wait tells the exit code.
load busybox
trapping='trap "exit 5" TERM; trap "echo usr1" USR1; echo up; while :; do sleep 0.05; done'
up() { wait_for eval "lyr logs $1 | grep -q up"; }
lyr run -d --name polite busybox sh -c "$trapping" >/dev/null
up polite
prints polite lyr kill -s USR1 polite
wait_for eval 'lyr logs polite | grep -q usr1'
prints polite lyr stop polite
prints 5 lyr wait polite
lyr run -d --name deaf busybox \
  sh -c 'trap "" TERM; echo up; while :; do sleep 0.05; done' >/dev/null
up deaf
prints deaf lyr stop -t 1 deaf
prints 137 lyr wait deaf
lyr run -d --name other --stop-signal USR1 busybox \
  sh -c 'trap "exit 6" USR1; echo up; while :; do sleep 0.05; done' >/dev/null
up other
lyr stop other >/dev/null
prints 6 lyr wait other
prints other lyr stop other
code 1 lyr kill other
has "$err" "not running"
lyr run -d --name waited busybox sh -c 'while [ ! -e /go ]; do sleep 0.05; done; exit 3' >/dev/null
lyr wait waited >waited &
touch_last waited /go
wait $!
same "$(cat waited)" 3
