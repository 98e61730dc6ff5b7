# SPDX-License-Identifier: Apache-2.0
# lyr mount as an ordinary user, outside of any user namespace: fusermount3 mounts and unmounts,
# what it says is the error, and what an owner may do to his files he may do in the union, though
# its server has no more rights than he.
command -v fusermount3 >/dev/null || skip "fusermount3 is not installed (package fuse3)"
server() { pgrep -x lyr-union; }
no_server() { ! server; }
unmounted() { ! mountpoint -q merged; }
shown() { grep " $PWD/merged " /proc/self/mountinfo; }
union() { lyr mount -o "lowerdir=base,upperdir=up,workdir=work$1" merged; }
mkdir -p base/{d,over,closed,readable,locked} up work merged
echo text | tee base/{f,gone,kept,l1,secret,d/g,over/h,closed/in} >/dev/null
ln base/l1 base/l2
setfattr -n user.mark -v m base/f
chmod 0444 base/f base/kept && chmod 0 base/secret base/locked && chmod 0555 base/closed

# The mount, and what it is to the kernel.
union ""
has "$(shown)" "nosuid,nodev,noatime - fuse.lyr lyr rw,user_id=$(id -u),"
lacks "$(shown)" allow_other
code 0 lyr umount merged
wait_for no_server
code 1 lyr umount merged
has "$err" "merged is not mounted"
union ',ro,noexec,fsname=a\,b\\c'
has "$(shown)" "ro,nosuid,nodev,noexec,noatime"
has "$(shown)" 'fuse.lyr a,b\134c'
code 1 touch merged/x
has "$err" "Read-only"
fusermount3 -u merged
wait_for no_server
union ""
kill -TERM "$(server)"
wait_for unmounted
wait_for no_server
lyr mount -f -o lowerdir=base merged &
wait_for mountpoint -q merged
kill -INT "$(server)"
wait $!
code 32 mountpoint -q merged
union ""
exec 3<merged/d/g
code 1 lyr umount merged
has "$err" "fusermount3: "
has "$err" busy
lyr umount -l merged
unmounted
same "$(cat <&3)" text
exec 3<&-
wait_for no_server
union ""
kill -9 "$(server)"
wait_for no_server
code 1 cat merged/d/g
has "$err" "not connected"
lyr umount merged
unmounted

# What fails, and why.
if ! grep -q '^user_allow_other' /etc/fuse.conf 2>/dev/null; then
  code 1 union ,allow_other
  has "$err" "fusermount3: option allow_other only allowed if 'user_allow_other' is set"
fi
code 1 union ,context=x
has "$err" "unknown option 'context=x'"
code 1 lyr mount -o lowerdir=base /usr
has "$err" "fusermount3: user has no write access to mountpoint /usr"
code 1 env PATH=/nowhere "$LYR" mount -o lowerdir=base merged
has "$err" "fusermount3 (package fuse3)"
union ""
code 1 env PATH=/nowhere "$LYR" umount merged
has "$err" "fusermount3 (package fuse3)"
lyr umount merged
unmounted
wait_for no_server

# What is done there.
union ""
cd merged
rm gone
same "$(stat -c '%t:%T' ../up/gone)" 0:0
chmod 0640 f
same "$(stat -c %a f) $(getfattr --only-values -n user.mark f)" "640 m"
echo more >>l1
same "$(cat l2) $(stat -c %h l1)" $'text\nmore 2'
ln f f2
echo more >>f2
same "$(tail -n 1 f)" more
mkdir n n/o && mv n n2 && mv d d2
same "$(ls n2) $(cat d2/g)" "o text"
rm -r over && mkdir -m 0555 over
same "$(ls -A over)" ""
echo more >>closed/in
sync closed/in # the kernel writes when it likes
same "$(tail -n 1 ../up/closed/in) $(stat -c %a closed ../up/closed | xargs)" "more 555 555"
(umask 0777 && echo new >none && mkdir nowhere)
install -m 0444 l1 x
exec 3>late && chmod 0 late && echo late >&3 && exec 3>&-
same "$(stat -c %a none nowhere x late | xargs)" "0 0 444 0"
echo s >s && chmod 4755 s && echo s >>s && fallocate -l 9 s && truncate -s 3 s
same "$(stat -c '%a %s' s)" "755 3"
code 1 cat secret
has "$err" "Permission denied"
code 1 chown 0 f
has "$err" "not permitted"
code 1 mknod dev c 0 0
cd ..
lyr umount merged
wait_for no_server

# What the next mount makes of it: nothing of what is closed to its owner closes the rest.
union ,writeback=0
cd merged
same "$(ls -l | wc -l)" 18 # with the line of the total
exec 3<x
chmod 0 x
same "$(cat <&3)" $'text\nmore'
exec 3<&-
sync kept
chmod 0444 x && sync x
echo more >>s
rmdir nowhere over
mkdir -m 0555 over
mv s over2 && mv over2 s
chmod 0600 none late
same "$(cat none late)" $'new\nlate'
same "$(cat kept; stat -c %a kept)" $'text\n444'
mkdir r && touch r/a && chmod 0 r
code 1 rmdir r
chmod 0700 r && rm -r r
cd ..
lyr umount merged
wait_for no_server
same "$(find work/work -name 't*')" ""

# A file is open still when its directory is closed to its owner; what the mode lets him do he can.
union ""
cd merged
mkdir -p dir/sub moved there && chmod 0555 there
echo one | tee dir/f dir/h >/dev/null
cd .. && lyr umount merged && wait_for no_server && union "" && cd merged
exec 3>>dir/f 4<dir/h 5>>d2/g
chmod 0600 dir d2
echo two >&3 && echo two >&5
same "$(stat -L -c %s /proc/self/fd/4 | xargs) $(cat <&4)" "4 one"
exec 3>&- 4<&- 5>&-
chmod 0444 dir
same "$(ls dir | xargs)" "f h sub"
code 1 cat dir/f
chmod 0755 dir d2
same "$(tail -qn 1 dir/f d2/g | xargs) $(stat -c %a dir)" "two two 755"
mv -T dir/sub moved/sub && mkdir b && mkdir -m 0555 b/t && mv -T moved/sub b/t
same "$(stat -c %a b/t)" 755
cd ..
lyr umount merged
wait_for no_server
same "$(cat up/dir/f up/d2/g | xargs)" "one two text two"

# What others own can be written to, but not copied up: that is said when it is opened.
echo theirs >base/theirs && chmod 0666 base/theirs
if [ "$LYR_MODE" = rootless ]; then
  unshare --user --map-root-user --map-auto chown 5 base/theirs
  union ""
  code 1 dd if=/dev/zero of=merged/theirs bs=1 count=1 conv=notrunc
  has "$err" "failed to open 'merged/theirs': Operation not permitted"
  same "$(cat merged/theirs)" theirs
  lyr umount merged
  wait_for no_server
  unshare --user --map-root-user --map-auto chown 0 base/theirs
fi

# It is over itself: the lower has the mount, too.
lyr mount -o lowerdir=.,upperdir=up,workdir=work merged
same "$(ls merged/merged)" ""
same "$(cat merged/base/kept)" text
lyr umount merged
# What is root's cannot become a user's.
lyr mount -o lowerdir=/var,upperdir=up,workdir=work merged
code 1 touch merged/tmp/x
has "$err" "not permitted"
lyr umount merged
wait_for no_server
chmod -R u+rwx base up # for the runner to remove
