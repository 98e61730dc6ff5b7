# SPDX-License-Identifier: Apache-2.0
# A container's root is overlayfs over the image where the host allows it, else the union alone.
# Either shows what the other has left.
load busybox debian
mode=hybrid
[ "$LYR_MODE" != single ] || mode=fuse
has "$(lyr info)" "Union mode: $mode ("
has "$(lyr info)" "Store reads: "
has "$(LYR_UNION=fuse lyr info)" "Union mode: fuse (it is asked for)"
if [ "$mode" = fuse ]; then
  has "$(lyr info)" "hybrid (not: with one id only"
  has "$(lyr info --union hybrid)" "Union mode: hybrid (asked for, but it cannot be had: with"
elif [ "$LYR_MODE" = root ]; then
  matches "$(lyr info)" "Other union modes: fuse; passthrough; io_uring"
else
  has "$(lyr info)" "Other union modes: fuse; passthrough (not: it takes root of the host"
fi
code 1 lyr info --union overlay2
has "$err" "not overlay2"
show="sed -n 's|.* / / .* - \([a-z]*\) lyr .*|\1|p' /proc/self/mountinfo"
root_type() { lyr run --rm "$@" busybox sh -c "$show"; }
declare -A type=([fuse]=fuse [hybrid]=overlay)
prints ${type[$mode]} root_type
prints ${type[fuse]} root_type --union fuse
prints ${type[fuse]} env LYR_UNION=fuse "$LYR" run --rm busybox sh -c "$show"
if [ "$mode" = fuse ]; then
  code 125 root_type --union hybrid
  has "$err" "one id"
fi
if [ "$LYR_MODE" = root ]; then
  prints ${type[fuse]} root_type --union passthrough
else
  code 125 root_type --union passthrough
  has "$err" "root of the host"
fi
# FUSE over io_uring, where root of the host has allowed it: as the file says that is shown here.
allowed=/sys/module/fuse/parameters/enable_uring
if [ ! -e $allowed ]; then
  code 125 root_type --union io_uring
  has "$err" "Linux 6.14"
else
  prints ${type[fuse]} root_type --union io_uring
fi
if [ -e $allowed ] && [ "$LYR_MODE" = root ]; then
  echo N >"$TMPDIR/not-allowed"
  mount --bind "$TMPDIR/not-allowed" $allowed
  code 125 root_type --union io_uring
  has "$err" "echo Y >$allowed"
  umount $allowed
fi
code 125 root_type --union overlay2
has "$err" "hybrid"

# What is there, then one change of each kind.
step='set -- $(ls /new /moved 2>/dev/null)
  echo "$(cat /steps 2>/dev/null | wc -l) steps, $(tail -1 /etc/passwd), $(ls /usr/bin | wc -l): $*"
  echo x >>/steps; echo "line $(wc -l </steps)" >>/etc/passwd; mkdir -p /new/$(wc -l </steps)
  rm -f /usr/bin/yes; [ ! -e /etc/apt ] || mv /etc/apt /moved'
refused=$LYR_RUN_ROOT/containers/overlay-refused
lyr create --name c debian sh -c "$step" >/dev/null
lyr start -a c >/dev/null
programs=$(lyr run --rm debian ls /usr/bin | grep -vc "^yes$")
moved=$(lyr run --rm debian ls /etc/apt | xargs)
# As after a reboot with a kernel that refuses: what was hybrid goes on without.
echo "$(cat /proc/sys/kernel/random/boot_id) of a test" >"$refused"
has "$(lyr info)" "Union mode: fuse ("
prints "1 steps, line 1, $programs: /moved: $moved /new: 1" lyr start -a c
rm "$refused"
prints "2 steps, line 2, $programs: /moved: $moved /new: 1 2" lyr start -a c
remove_containers
