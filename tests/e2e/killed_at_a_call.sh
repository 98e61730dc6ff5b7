# SPDX-License-Identifier: Apache-2.0
# Each process of a command is killed at its first, second, ... call of a kind, as strace counts
# them: the next command leaves nothing of it, no container that removes itself, volume, cgroup,
# name or directory. Not with subordinate ids: newuidmap has no privilege under strace.
command -v strace >/dev/null || skip "no strace"
load busybox
cgroups() {
  find /sys/fs/cgroup -path '*/lyr/*' -type d 2>/dev/null | grep -cE '[0-9a-f]{64}$' || true
}
before=$(cgroups)
killed_at() {  # call, number, command...
  local call=$1 at=$2
  shift 2
  (strace -f -qq -o trace -e trace=$call -e inject=$call:signal=SIGKILL:when=$at \
    "$LYR" "$@" || true) >/dev/null 2>&1
  grep -q killed trace
}
nothing_is_left() {
  prints "" ls "$LYR_ROOT/volumes"
  prints "" ls "$LYR_RUN_ROOT/containers"
  prints names ls "$LYR_ROOT/containers"
  prints "" ls "$LYR_ROOT/containers/names"
  same "$(cgroups)" "$before"
}
options=(-v /anonymous -v "$HOME/host:/host" --memory 64m)
for call in mkdirat symlinkat renameat renameat2 unlinkat clone3 connect sendmsg; do
  at=1
  while killed_at $call $at run --rm "${options[@]}" busybox true; do
    out=$(lyr ps -a --format '{{.ID}} {{.Status}}' --no-trunc)
    # One that was made and not yet started waits, as docker's does.
    [[ -z $out || $out == *" Created" ]] || fail "killed at call $at of $call: $out"
    [ -z "$out" ] || lyr rm -v "${out%% *}" >/dev/null
    nothing_is_left
    ((++at < 200)) || fail "more calls of $call than were tried"
  done
done
at=1
lyr run -d --name c "${options[@]}" busybox sleep 1000 >/dev/null 2>&1
while killed_at unlinkat $at rm -fv c; do
  out=$(lyr ps -aq)
  [ -z "$out" ] || lyr rm -fv "$out" >/dev/null
  nothing_is_left
  ((++at < 200)) || fail "more calls than were tried"
  lyr run -d --name c "${options[@]}" busybox sleep 1000 >/dev/null 2>&1
done
nothing_is_left
