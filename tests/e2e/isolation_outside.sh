# SPDX-License-Identifier: Apache-2.0
# What the host sees of a container: namespaces of its own, a filter, no privilege, no host path.
load busybox
lyr run -d --name c busybox sleep 1000 >/dev/null
pid=$(pid_of c)
for kind in mnt pid net ipc uts cgroup user; do
  mine=$(readlink /proc/self/ns/$kind)
  theirs=$(readlink "/proc/$pid/ns/$kind" || true)
  # As root the initial user namespace may be the container's: its capabilities are bounded.
  [ "$LYR_MODE" = root ] && [ $kind = user ] && continue
  [ "$mine" != "$theirs" ] || fail "it shares the host's $kind namespace"
done
status=$(cat "/proc/$pid/status")
matches "$status" $'Seccomp:\t2'
matches "$status" $'CapBnd:\t00000000a80425fb'
if [ "$LYR_MODE" != root ]; then
  lacks "$status" $'Uid:\t0\t'
fi
lacks "$(tr '\0' ' ' <"/proc/$pid/environ" 2>/dev/null || true)" LYR_ROOT
! ls "/proc/$pid/root/$LYR_ROOT" 2>/dev/null || fail "the store is visible inside"
