# SPDX-License-Identifier: Apache-2.0
# A commit that is killed at its first, second, ... call of a kind, as strace counts them, with all
# of its session: its container goes on or can be started, there is the whole image or none, and the
# next commit succeeds. The container also goes on when who would see to that is killed. Not with
# subordinate ids: newuidmap has no privilege under strace.
command -v strace >/dev/null || skip "no strace"
load busybox
lyr run -d --name c busybox sh -c 'mkdir -p /new/d; head -c 3000000 /dev/urandom >/new/large
  touch /new/ready; trap "exit 3" TERM; while :; do echo >>/count; done' >/dev/null
wait_for lyr exec c test -e /new/ready
id=$(inspect c '{{.Id}}')
freezer=$(find /sys/fs/cgroup -path "*/lyr/$id/cgroup.freeze" 2>/dev/null | head -1)
counter() { lyr exec c stat -c %s /count; }
grows() { [ $(counter) -gt $now ]; }
thawed() { [ "$(cat $freezer)" = 0 ]; }
large=$(lyr exec c sha256sum /new/large)
killed_at() { # call, number
  (setsid strace -qq -o trace -e trace=$1 -e inject=$1:signal=SIGKILL:when=$2 \
    "$LYR" commit c killed || true) >/dev/null 2>&1
  grep -q killed trace
}
kills() { # what there is to be seen, calls...
  local goes_on=$1 call at
  shift
  for call in "$@"; do
    for ((at = 1;; at++)); do
      killed_at $call $at || break
      $goes_on
      if lyr inspect killed >/dev/null 2>&1; then
        same "$(lyr run --rm killed sha256sum /new/large)" "$large"
        lyr rmi killed >/dev/null
      fi
      ((at < 300)) || fail "more calls of $call than were tried"
    done
    ((at > 1)) || fail "no call of $call was seen"
    lyr rmi killed >/dev/null
    lyr commit c next >/dev/null 2>&1
    same "$(lyr run --rm next sha256sum /new/large)" "$large"
    lyr rmi next >/dev/null
  done
}
running() {
  [ -z "$freezer" ] || wait_for thawed
  now=$(counter)
  wait_for grows
}
kills running clone3 write sendmsg recvmsg fdatasync fsync waitid
# A commit that stops while its container stands still: there is a process that waits for its end.
has_stopped() { [ "$(grep -c 'stopped by SIGSTOP' trace)" -ge $1 ]; }
hold() {  # container
  local stops=1
  rm -f trace
  setsid env --default-signal strace -DDD -qq -o trace -e trace=waitid \
    -e inject=waitid:signal=SIGSTOP "$LYR" commit $1 held >/dev/null 2>held.err &
  commit=$!
  disown
  wait_for has_stopped $stops
  while thawed; do
    kill -CONT $commit
    wait_for has_stopped $((++stops))
  done
}
has_ended() { kill -CONT $commit 2>/dev/null; ! kill -0 $commit 2>/dev/null; }
if [ -n "$freezer" ]; then
  hold c
  kill -INT -- -$commit
  wait_for has_ended
  running
  # That process is killed: before it is ready, with a commit that goes on, and with its commit.
  strace -f -qq -o trace -e trace=setsid -e inject=setsid:signal=SIGKILL:when=1 \
    "$LYR" commit c unready >/dev/null 2>&1 || true
  has "$(cat trace)" "killed by SIGKILL"
  running
  hold c
  kill -KILL $(pgrep -x lyr-thaw)
  wait_for has_ended
  same "$(cat held.err)" ""
  running
  lyr rmi held >/dev/null
  hold c
  kill -KILL $(pgrep -x lyr-thaw) $commit
  wait_for has_ended
  ! thawed || fail "who let it go on?"
  lyr commit c next >/dev/null
  running
  hold c
  kill -KILL $(pgrep -x lyr-thaw) $commit
  wait_for has_ended
  lyr stop -t 600 c >/dev/null
  same "$(inspect c '{{.State.ExitCode}}')" 3
fi
lyr stop -t 0 c >/dev/null
stopped() { same "$(status_of c)" exited; }
kills stopped clone3 write sendmsg recvmsg fsync waitid unlinkat
lyr start c >/dev/null
now=0
wait_for grows
code 0 lyr gc
