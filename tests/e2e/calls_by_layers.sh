# SPDX-License-Identifier: Apache-2.0
# System calls, as strace counts them: `lyr mount` makes a few for each lower directory, and the
# start of a container as many as that of an image of fewer layers, since a load merges them. Not
# with subordinate ids: newuidmap has no privilege under strace.
command -v strace >/dev/null || skip "no strace"
if [ -z "${LYR_NESTED:-}" ]; then
  for layers in 10 100; do
    python3 -B "$here/large.py" "$images/busybox.tar" many$layers layers $layers >many.tar
    lyr load -q -i many.tar >/dev/null
  done
fi
# How often a server waits and looks for requests is a matter of time.
waits=read,readv,poll,ppoll,futex,nanosleep,clock_nanosleep,sched_yield,io_uring_enter
traced() { # command...: with all that it starts, until the last of that has ended
  strace -f -qq -c -e trace="!$waits" -o calls "$LYR" "$@"
}
calls() { awk '$4 ~ /^[0-9]+$/ && $NF != "total" { sum += $4 } END { print sum + 0 }' calls; }

if [ -z "${LYR_NESTED:-}" ]; then
  for layers in 10 100; do
    prints $((layers - 1)) traced run --rm many$layers cat /layers/last
    start[layers]=$(calls)
  done
  echo "start: ${start[10]} calls with 10 layers, ${start[100]} with 100"
  ((start[10] > 500)) || fail "not all were counted"
  ((start[100] <= start[10] + 45)) || fail "the start depends on the number of layers"
fi

# Not as root: in a user namespace of its own, where one may mount.
if [ "$LYR_MODE" != root ] && [ -z "${LYR_NESTED:-}" ]; then
  export LYR_NESTED=1
  exec unshare --user --map-root-user --mount bash -euo pipefail -c \
    '. "$1/lib.sh"; . "$1/calls_by_layers.sh"' calls_by_layers "$here"
fi
mkdir up work merged
for layers in 10 100; do
  mkdir -p $(eval "echo $layers/{1..$layers}/d")
  for ((i = 1; i <= layers; i++)); do echo $i | tee $layers/$i/f$i >$layers/$i/d/f$i; done
  lower=$(seq -s : -f "$layers/%g" $layers)
  traced mount -o "lowerdir=$lower,upperdir=up,workdir=work" merged &
  wait_for mountpoint -q merged
  same "$(ls merged merged/d | grep -c f)" $((2 * layers))
  lyr umount merged
  wait $!
  mounted[layers]=$(calls)
done
echo "lyr mount: ${mounted[10]} calls with 10 layers, ${mounted[100]} with 100"
((mounted[10] > 100)) || fail "not all were counted"
each=$(((mounted[100] - mounted[10]) / 90))
((each <= 40)) || fail "$each calls for each lower directory"
