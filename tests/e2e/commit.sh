# SPDX-License-Identifier: Apache-2.0
# A committed image has the files that the container had, each with all that an image keeps of it:
# whether the container runs or not, and however its root is made. What is not yet written back is
# in it, too.
load python
of_container() { lyr exec -i "$1" python3 - <"$here/listing.py"; }
of_image() { lyr run --rm -i --entrypoint python3 "$1" - <"$here/listing.py"; }
image=python
if [ "$LYR_MODE" = root ]; then  # nobody else can change a device
  python3 - >layer.tar <<'MAKE'
import sys, tarfile
with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as tar:
    entry = tarfile.TarInfo("null")
    entry.type, entry.mode, entry.devmajor, entry.devminor = tarfile.CHRTYPE, 0o666, 1, 3
    tar.addfile(entry)
MAKE
  python3 -B "$here/add_layer.py" "$images/python.tar" device.tar lyr.test/device:latest <layer.tar
  lyr load -q -i device.tar >/dev/null
  image=lyr.test/device
fi
modes="hybrid fuse io_uring"
[ "$LYR_MODE" != root ] || modes+=" passthrough"
facts=$(lyr info)
for mode in $modes; do
  ! grep -q "Other union modes.*$mode (not:" <<<"$facts" || continue
  lyr run -d --name c --union $mode -v data:/srv/volume -v data:/made/it -v data:/placed/it \
    --tmpfs /scratch --entrypoint sleep $image 1000 >/dev/null
  lyr exec c sh -c 'touch /srv/volume/here /scratch/there /made/beside'
  lyr exec -i c python3 - "$LYR_MODE" <"$here/changes.py"
  wait_for lyr exec c test -e /srv/held.ready
  of_container c >seen
  lyr commit c running >id 2>/dev/null  # a warning where it cannot be paused
  matches "$(cat id)" '^sha256:[0-9a-f]{64}$'
  same "$(inspect running '{{.Id}}')" "$(cat id)"
  of_image running >got
  diff seen got || fail "$mode: the image of a running container is another one"
  grep -q "/srv/held' " got && grep -q "user.color" got || fail "not all was listed"
  ! grep "^'/srv/volume\|^'/scratch\|^'/made/it\|^'/placed/it" got ||
    fail "a volume's content is in the image"
  of_container c >after
  diff seen after || fail "$mode: the commit changed the container"
  lyr stop -t 0 c >/dev/null
  lyr commit c stopped >/dev/null
  of_image stopped >got
  diff seen got || fail "$mode: the image of a stopped container is another one"
  same "$(inspect stopped '{{.RootFS.Layers}}')" "$(inspect running '{{.RootFS.Layers}}')"
  # One more layer, of what is changed in the new image.
  lyr run --name c2 --union $mode --entrypoint sh stopped -c 'rm -r /srv/new
    mv /usr/share/doc/moved /srv/new; echo >/fifo
    mkdir /usr/share/doc/tar; rm /etc/issue.net/inside
    cd /srv; mv one was; mv two one; mv was two; rm -r four; mv three four
    python3 -c "$0"' "$(cat "$here/listing.py")" >seen
  of_image $(lyr commit c2) >got
  for list in seen got; do grep "^'/srv/\(one\|two\|three\|four\|was\)" $list >$list.moved; done
  [ -s seen.moved ] && diff seen.moved got.moved || fail "$mode: what was moved is not as it was"
  lyr start c2 >/dev/null && lyr wait c2 >/dev/null
  lyr rm c2 c >/dev/null
  grep -q "/srv/new/new'" got && grep -q "/usr/share/doc/tar'" got ||
    fail "what was made is not in the third"
  ! grep "/srv/new/setgid'\|/srv/new/copyright'\|/doc/moved\|/issue.net/inside" got ||
    fail "what was deleted is in the third"
done
