# SPDX-License-Identifier: Apache-2.0
# A set-user-id file that a container has made gives nobody its owner's rights outside of the
# container: not by the mount, which is the container's user namespace's and whose FUSE file
# systems let nobody else in, and not by the upper directory, which is closed.
load debian
owner=5
[ "$LYR_MODE" != single ] || owner=0 # the one id there is
make="cp /bin/cat \$0 && chown $owner \$0 && chmod 4755 \$0"
ids() { awk '/^Uid/ { print $2, $3 }' <<<"$out"; } # who runs it, whose rights it has
lyr run -d --name c debian sh -c "sleep 1000" >/dev/null
lyr exec c sh -c "$make" /setuid
code 0 lyr exec c /setuid /proc/self/status
same "$(ids)" "0 $owner"
pid=$(pid_of c)
upper=$(find "$LYR_ROOT/containers" -path '*/upper/setuid')
same "$(stat -c %a "$upper")" 4755
if [ "$LYR_MODE" = root ]; then
  for file in "/proc/$pid/root/setuid" "$upper"; do
    code 126 setpriv --reuid 65534 --regid 65534 --clear-groups sh -c 'exec "$0"' "$file"
    has "$err" "Permission denied"
  done
  exit 0
fi
same "$(stat -c %a "$LYR_ROOT/containers")" 700 # to other users; the ids are this one's own

# The user who started it, by the container's mount: overlayfs shows the file, and that is all.
if grep -q " / / .* - overlay " "/proc/$pid/mountinfo"; then
  code 0 "/proc/$pid/root/setuid" /proc/self/status
  same "$(ids)" "$(id -u) $(id -u)"
else
  code 126 "/proc/$pid/root/setuid" /proc/self/status
  has "$err" "Permission denied"
fi
# In the user namespace, but not in that of the mounts.
code 0 nsenter --user --target "$pid" --preserve-credentials \
  "/proc/$pid/root/setuid" /proc/self/status
same "$(ids)" "0 0"

# A mount of `lyr mount` in a user namespace.
mkdir base up work merged
mkfifo mounted end
inside='"$LYR" mount -o lowerdir=base,upperdir=up,workdir=work merged
  sh -c "$0" merged/setuid
  merged/setuid /proc/self/status >inside
  echo $$ >mounted
  read -r line <end
  "$LYR" umount merged'
map=
[ "$LYR_MODE" = single ] || map=--map-auto
unshare --user --map-root-user $map --mount bash -euc "$inside" "$make" &
read -r pid <mounted
out=$(cat inside)
same "$(ids)" "0 $owner"
code 126 "/proc/$pid/root$PWD/merged/setuid" /proc/self/status
has "$err" "Permission denied"
code 0 nsenter --user --target "$pid" --preserve-credentials \
  "/proc/$pid/root$PWD/merged/setuid" /proc/self/status
same "$(ids)" "0 0"
echo end >end
wait $!
