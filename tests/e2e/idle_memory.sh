# SPDX-License-Identifier: Apache-2.0
# What an idle mount takes of memory: its server, once the root was listed. Counted is Pss of all
# processes that are there for it: a page that several of them map is counted once, where Rss counts
# it for each, and what is only mapped of the program counts too, which Private leaves out as soon
# as another process maps it. Other tests have no share in it, as each has a program of its own.
if [ -z "${LYR_NESTED:-}" ]; then
  load busybox
fi
pss() { # names of processes, as an expression: kilobytes
  local pid sum=0
  for pid in $(pgrep -x "$1"); do
    sum=$((sum + $(awk '/^Pss:/ { print $2 }' "/proc/$pid/smaps_rollup")))
  done
  echo $sum
}
at_most() { # kilobytes, limit, of what
  echo "$3: $1 kB"
  (($1 > 500)) || fail "$3: $1 kB, so something was not counted"
  (($1 <= $2)) || fail "$3: $1 kB, more than $2"
}
server="lyr-union|lyr-keeper|lyr-image"
if [ -z "${LYR_NESTED:-}" ]; then
  lyr run -d --name first busybox sleep 1000 >/dev/null
  has "$(lyr exec first ls /)" etc
  at_most "$(pss "$server")" 8192 "a container's server"
  one=$(pss "lyr-.*")
  lyr run -d --name second busybox sleep 1000 >/dev/null
  has "$(lyr exec second ls /)" etc
  at_most $(($(pss "lyr-.*") - one)) 4096 "another container of the image, with its supervisor"
  remove_containers
fi

# Not as root: lyr mount in a user namespace of its own, where one may mount.
if [ "$LYR_MODE" != root ] && [ -z "${LYR_NESTED:-}" ]; then
  export LYR_NESTED=1
  exec unshare --user --map-root-user --mount bash -euo pipefail -c \
    '. "$1/lib.sh"; . "$1/idle_memory.sh"' idle_memory "$here"
fi
wait_for eval '! pgrep "^lyr-"'
mkdir base up work merged
touch base/f
lyr mount -o lowerdir=base,upperdir=up,workdir=work merged
same "$(ls merged)" f
at_most "$(pss "$server")" 8192 "the server of lyr mount"
lyr umount merged
wait_for eval '! pgrep "^lyr-"'
