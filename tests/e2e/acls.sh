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

# An image's own: one names a user of the container, one an id that a user's containers do not have.
load busybox
cat >layer.py <<'PYTHON'
import io
import struct
import sys
import tarfile


def acl(user):
    entries = [(1, 6, 0), (2, 4, user), (4, 0, 0), (16, 4, 0), (32, 0, 0)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


values = {"known": acl(34), "unknown": acl(0x7f000000), "none": b"rw"}
with tarfile.open(fileobj=sys.stdout.buffer, mode="w|", format=tarfile.PAX_FORMAT) as tar:
    for name, value in values.items():
        entry = tarfile.TarInfo("srv/" + name)
        entry.mode, entry.size = 0o640, len(name)
        entry.pax_headers = {"SCHILY.xattr.system.posix_acl_access": value.decode()}
        tar.addfile(entry, io.BytesIO(name.encode()))
PYTHON
python3 layer.py |
  python3 -B "$here/add_layer.py" "$images/busybox.tar" acls.tar lyr.test/acls:latest
lyr load -q -i acls.tar >/dev/null
lyr run -d --name up lyr.test/acls sleep 1000 >/dev/null
readable() {
  for user in 34 35; do
    for name in known unknown none; do
      lyr exec -u $user:$user up cat /srv/$name 2>/dev/null || true
      echo -n " "
    done
  done
}
[ "$(readable)" = "known      " ] || { readable; exit 1; }
lyr exec up sh -c 'for name in known unknown none; do echo -n + >>/srv/$name; done'
[ "$(readable)" = "known+      " ] || { readable; exit 1; }
prints "unknown+" lyr exec up cat /srv/unknown
