# SPDX-License-Identifier: Apache-2.0
# The containers of one image stand on one mount of it: one server, and what one of them has read no
# other asks for again. It stays as long as one of them does, whoever came first, and no longer.
load busybox debian
daemons() { pgrep -xc lyr-image || true; }
servers() { pgrep -xc lyr-union || true; }
requested() { sed -n "s/^rchar: //p" "/proc/$(pgrep -x lyr-union)/io"; }  # bytes, and of the store
sockets() { ls "$LYR_RUN_ROOT/images" | grep -vcx lock || true; }
nothing_there() { [ "$(daemons) $(servers) $(sockets)" = "0 0 0" ]; }
read_all() { lyr exec "$1" tar cPf - /usr /etc /var | wc -c; }

# All at once: one of them makes it.
names=$(seq -f c%g 12)
for name in $names; do lyr run -d --name "$name" debian sleep 1000 >/dev/null & done
wait
for name in $names; do is_status "$name" running || fail "$name does not run"; done
same "$(daemons) $(servers) $(sockets)" "1 1 1"

read_all c1 >/dev/null
before=$(requested)
size=$(read_all c2)
((size > 20000000)) || fail "only $size bytes were read"
asked=$(($(requested) - before))
((asked < before / 50)) || fail "$asked bytes of requests, after $before for the same"

# Changes are a container's own.
lyr exec c1 sh -c 'echo mine >>/etc/passwd; rm /etc/issue; chmod 600 /etc/group'
prints "" lyr diff c2
lacks "$(lyr exec c2 cat /etc/passwd)" mine

# Another image has a mount of its own.
lyr run -d --name other busybox sleep 1000 >/dev/null
same "$(daemons) $(servers) $(sockets)" "2 2 2"
lyr rm -f other >/dev/null
same "$(servers) $(sockets)" "1 1"

# Neither the end of who came first nor a killed supervisor or server is the others' end.
kill -9 "$(ps -o ppid= -p "$(pid_of c1)")" "$(pgrep -x lyr-union)"
lyr rm -f c1 c3 >/dev/null
prints "debian" lyr exec c2 sh -c '. /etc/os-release; echo $ID'
same "$(daemons) $(servers) $(sockets)" "1 1 1"

# The daemon's is, at once, and is said; they start again.
kill -9 "$(pgrep -x lyr-image)"
for name in c2 c4; do
  wait_for eval '! is_status $name running'
  has "$(inspect $name '{{.State.Error}}')" "its image's file system server ended"
  lyr start $name >/dev/null
done
prints "debian" lyr exec c4 sh -c '. /etc/os-release; echo $ID'
remove_containers
wait_for nothing_there

# So is the keeper's.
lyr run -d --name c1 busybox sleep 1000 >/dev/null
kill -9 "$(pgrep -x lyr-keeper)"
wait_for eval '! is_status c1 running'
has "$(inspect c1 '{{.State.Error}}')" "file system server ended"
wait_for nothing_there

remove_containers

# A killed keeper beside starts: what it does to them is not taken for what the kernel refuses.
for i in 1 2 3 4 5 6 7 8 9 10; do
  lyr run -d --name c$i busybox sleep 1000 >/dev/null &
  pkill -9 -x lyr-keeper || true
  wait $! || true  # it may have been killed with all the rest of it
done
[ ! -e "$LYR_RUN_ROOT/containers/overlay-refused" ] || fail "$(cat "$LYR_RUN_ROOT"/containers/o*)"
has "$(lyr info)" "Union mode: hybrid"
remove_containers
wait_for nothing_there

# Of the host's mounts it has none, so each can be unmounted.
lyr run -d --name c1 busybox sleep 1000 >/dev/null
same "$(wc -l <"/proc/$(pgrep -x lyr-image)/mountinfo")" 2

# Whoever started it, others are not to live with his limits, nor to end with his service: those of
# other cgroups or another nice value have a mount of their own.
nice -n 5 "$LYR" run -d --name c2 busybox sleep 1000 >/dev/null
same "$(servers) $(sockets)" "2 2"
unit=lyr-e2e-$$
for top in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/pids; do
  [ "$LYR_MODE" = root ] || break  # users can make no cgroups here
  [ -e $top/cgroup.procs ] && mkdir $top/$unit 2>/dev/null || continue
  (echo $BASHPID >$top/$unit/cgroup.procs && lyr run -d --name c3 busybox sleep 1000 >/dev/null)
  same "$(servers) $(sockets)" "3 3"
  lyr rm -f c3 >/dev/null
  rmdir $top/$unit
done
remove_containers
wait_for nothing_there

# One start after the other, each the first and the last.
for i in 1 2 3 4 5; do prints $i lyr run --rm busybox echo $i; done
wait_for nothing_there
remove_containers
