# SPDX-License-Identifier: Apache-2.0
# POSIX ACLs of a container's files: they name its own users, hold for them, are inherited, and are
# there when it is started again.
load python
cat >acls.py <<'PYTHON'
import os
import struct

NOBODY = 0xffffffff


def acl(others_permissions):
    entries = [(1, 6, NOBODY), (2, others_permissions, 34), (4, 0, NOBODY),
               (16, others_permissions, NOBODY), (32, 0, NOBODY)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def may_read(user, path):
    child = os.fork()
    if child == 0:
        os.setgid(user)
        os.setuid(user)
        try:
            os.close(os.open(path, os.O_RDONLY))
        except PermissionError:
            os._exit(1)
        os._exit(0)
    return "yes" if os.waitpid(child, 0)[1] == 0 else "no"


access, inherited = "system.posix_acl_access", "system.posix_acl_default"
of_image, directory, new = "/etc/debian_version", "/srv/shared", "/srv/shared/new"
if not os.path.exists(directory):
    os.chmod(of_image, 0o600)
    os.setxattr(of_image, access, acl(4))
    os.mkdir(directory, 0o755)
    os.setxattr(directory, inherited, acl(4))
    os.close(os.open(new, os.O_CREAT | os.O_WRONLY, 0o666))
for path in (of_image, new):
    assert os.getxattr(path, access) == acl(4), os.getxattr(path, access)
    print(may_read(34, path), may_read(35, path), oct(os.stat(path).st_mode)[-3:])
PYTHON
lyr create --name c -v "$PWD/acls.py:/acls.py" python /acls.py >/dev/null
for turn in first second; do
  prints "yes no 640
yes no 640" lyr start -a c
done

# An image's own: one names a user of the container, one an id that a user's containers do not have,
# one is none, one allows more than the mode, one is a directory's; the root has one, too.
load busybox
cat >layer.py <<'PYTHON'
import io
import struct
import sys
import tarfile


def acl(user, others=0):
    entries = [(1, 7, 0), (2, 4, user), (4, 0, 0), (16, 4, 0), (32, others, 0)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def add(tar, name, mode, value, kind="access", content=b""):
    entry = tarfile.TarInfo(name)
    entry.mode, entry.size = mode, len(content)
    entry.type = tarfile.REGTYPE if content else tarfile.DIRTYPE
    entry.pax_headers = {"SCHILY.xattr.system.posix_acl_" + kind: value.decode()}
    tar.addfile(entry, io.BytesIO(content))


with tarfile.open(fileobj=sys.stdout.buffer, mode="w|", format=tarfile.PAX_FORMAT) as tar:
    add(tar, "./", 0o755, acl(34), kind="default")
    for name, value in {"known": acl(34), "unknown": acl(0x7f000000), "none": b"rw"}.items():
        add(tar, "srv/" + name, 0o640, value, content=name.encode())
    add(tar, "srv/wide", 0o600, acl(34, others=4), content=b"wide")
    add(tar, "srv/misplaced", 0o600, acl(34), kind="default", content=b"misplaced")
PYTHON
python3 layer.py |
  python3 -B "$here/add_layer.py" "$images/busybox.tar" acls.tar lyr.test/acls:latest
lyr load -q -i acls.tar >/dev/null
lyr run -d --name up lyr.test/acls sleep 1000 >/dev/null
files="known unknown none wide misplaced"
readable() {
  for user in 34 35; do
    echo -n "$user:"
    for name in $files; do
      if lyr exec -u $user:$user up cat /srv/$name >/dev/null 2>&1; then echo -n " $name"; fi
    done
    echo
  done
  lyr exec up sh -c "cd /srv; stat -c '%a %n' $files"
}
expected="34: known
35:
640 known
640 unknown
640 none
600 wide
600 misplaced"
prints "$expected" readable
lyr exec up sh -c "for name in $files; do echo -n + >>/srv/\$name; done"
prints "$expected" readable
lyr exec up sh -c "chmod 600 /srv/misplaced; touch /srv/wide"
prints "$expected" readable
prints "known+unknown+none+wide+misplaced+" lyr exec up sh -c "cd /srv; cat $files"
lyr exec up sh -c 'umask 077; echo new >/new; chmod 755 /'
prints "new" lyr exec -u 34:34 up cat /new
prints 1 lyr exec -u 35:35 up sh -c 'cat /new 2>/dev/null; echo $?'
