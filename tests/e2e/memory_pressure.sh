# SPDX-License-Identifier: Apache-2.0
# A container of 40 MB that writes 200 MB, and then here and there in them, by calls and by a
# mapping, ends by itself and finds all it wrote: who is to give up memory never waits for who needs
# it for that. The time limit is that of a hang. Only as root: others have no cgroups to limit.
[ -x "$REWRITER" ] || fail "no program at $REWRITER"
load busybox
limited() {
  timeout -k 10 200 "$LYR" run --rm -m 40m -v "$REWRITER:/rewriter:ro" --union "$@" 2>"$TMPDIR/said"
}
modes="auto fuse passthrough"
[ ! -e /sys/module/fuse/parameters/enable_uring ] || modes+=" io_uring"
for mode in $modes; do
  code 137 limited $mode busybox sh -c 'a=x; while :; do a=$a$a; done'
  ! grep -q warning said || skip "no limit of memory can be had here: $(cat said)"
  code 0 limited $mode busybox /rewriter /f 200 20000
done
