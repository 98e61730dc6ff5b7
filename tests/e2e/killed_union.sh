# SPDX-License-Identifier: Apache-2.0
# The union's server is killed while the container writes: another takes over, and the container
# sees no error and loses nothing that was written. With its keeper killed it cannot go on: it ends,
# and starts again.
load busybox
lines() { lyr exec $1 sh -c 'cat /log | wc -l'; }
grown() { [ "$(lines $1)" -gt "$2" ]; }
kill_server() { kill -9 "$(pgrep -x -r R,S,D lyr-union)"; }
gone() { ! pgrep -x "$1"; }  # a process that is killed closes its files before it is gone
modes="fuse auto"
[ "$LYR_MODE" != root ] || modes+=" passthrough"
for mode in $modes; do
  lyr run -d --name $mode --union $mode busybox sh -c '
    rm -f /f /g /h  # of the start before this one
    i=$(cat /log 2>/dev/null | wc -l)
    until [ -e /stop ]; do
      i=$((i + 1))
      echo $i >>/log && dd if=/log of=/copy conv=fsync 2>/dev/null && cmp -s /log /copy || exit 3
      mkdir /d$i && mv /d$i /e$i && rmdir /e$i || exit 4
      touch /f && ln /f /g && rm /f && mv /g /h || exit 5
    done' >/dev/null
  for i in 1 2 3 4 5 6 7 8 9 10; do
    wait_for grown $mode $((i * 3))
    wait_for kill_server  # the next one may be on its way
  done
  before=$(lines $mode)
  wait_for grown $mode "$before"
  kill -9 "$(pgrep -x lyr-keeper)"
  wait_for eval '! is_status $mode running'
  has "$(inspect $mode '{{.State.Error}}')" "file system server ended"
  wait_for gone lyr-union
  lyr start $mode >/dev/null
  wait_for grown $mode "$before"
  touch_last $mode /stop
  prints 0 lyr wait $mode
  lyr cp $mode:/log "$TMPDIR/log"
  seq 1 "$(wc -l <"$TMPDIR/log")" | cmp - "$TMPDIR/log"
done

# By io_uring none can follow.
if [ -e /sys/module/fuse/parameters/enable_uring ]; then
  lyr run -d --name io_uring --union io_uring busybox \
    sh -c 'while :; do echo x >/f; done' >/dev/null
  wait_for lyr exec io_uring test -s /f
  kill -9 "$(pgrep -x lyr-union)"
  wait_for eval '! is_status io_uring running'
  has "$(inspect io_uring '{{.State.Error}}')" "none can follow it"
  wait_for gone lyr-keeper
fi
