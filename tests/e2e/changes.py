# SPDX-License-Identifier: Apache-2.0
# Run inside a container of the test image python: every kind of change that a layer can say. A
# process stays that has written to files of the image, and has them open.
import os
import random
import signal
import socket
import struct
import sys

one_id = sys.argv[1] == "single"


def write(path, text, mode=0o644):
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, mode)


def set_time(path, ns, **how):
    os.utime(path, ns=(ns, ns), **how)


def remove(directory):
    for path, directories, files in os.walk(directory, topdown=False):
        for name in files:
            os.remove(os.path.join(path, name))
        for name in directories:
            below = os.path.join(path, name)
            os.remove(below) if os.path.islink(below) else os.rmdir(below)
    os.rmdir(directory)


def move(old, new):  # by copying where a directory of the image cannot be renamed
    if os.system(f"mv {old} {new}") != 0:
        sys.exit(1)


# New.
os.makedirs("/srv/new/empty")
os.makedirs("/srv/" + "/".join("d" * 50 + str(i) for i in range(5)))
write("/srv/" + "n" * 200, "a name that fits no header")
write(b"/srv/\xff\nodd ", "a name that is no text")
write("/srv/new/setuid", "setuid", 0o4755)
write("/srv/new/setgid", "setgid", 0o2711)
write("/srv/new/nothing", "")
os.chmod("/srv/new", 0o1777)
os.symlink("new/nothing", "/srv/link")
os.symlink("t" * 300, "/srv/long link")
os.mkfifo("/srv/fifo", 0o620)
socket.socket(socket.AF_UNIX).bind("/srv/socket")
os.link("/srv/new/setuid", "/srv/hard")
with open("/srv/holes", "wb") as file:
    file.truncate(200 << 20)
    file.seek(100 << 20)
    file.write(b"between holes")
with open("/srv/large", "wb") as file:
    file.write(random.randbytes(5 << 20))
set_time("/srv/new/nothing", 1_234_567_890_123_456_789)
set_time("/srv/holes", -1_500_000_000)
set_time("/srv/large", 14_000_000_000_000_000_001)
set_time("/srv/link", 1_000_000_000_000_000_007, follow_symlinks=False)
# Of the image: changed, gone, moved, replaced.
with open("/etc/passwd", "a") as file:
    file.write("# more\n")
os.chmod("/etc/shadow", 0o600)
os.remove("/etc/debian_version")
remove("/usr/share/doc/gzip")
remove("/usr/share/doc/bash")
os.mkdir("/usr/share/doc/bash", 0o700)
write("/usr/share/doc/bash/copyright", "again")
remove("/usr/share/doc/grep")
write("/usr/share/doc/grep", "a file now")
os.remove("/etc/issue.net")
os.mkdir("/etc/issue.net")
write("/etc/issue.net/inside", "a directory now")
move("/usr/share/doc/tar", "/usr/share/doc/moved")
write("/usr/share/doc/moved/new", "in a moved directory")
os.remove("/usr/share/doc/moved/copyright")
move("/usr/share/perl5", "/usr/share/perl5.old")
os.mkdir("/usr/share/perl5")
move("/usr/share/perl5.old/Debian", "/usr/share/perl5/Debian")
os.link("/etc/profile", "/srv/profile")
os.chmod("/", 0o711)
os.chmod("/placed", 0o750)  # which is there for a volume
# For the next to swap and to replace.
for name in "one", "two", "three", "four":
    os.makedirs(f"/srv/{name}/sub/deep")
    write(f"/srv/{name}/sub/deep/{name}", name)
    write(f"/srv/{name}/sub/same", name)
    write(f"/srv/{name}/first", name)
    os.link(f"/srv/{name}/first", f"/srv/{name}/second")
    os.mkdir(f"/srv/{name}/a file of {name}")
    for other in {"one", "two", "three", "four"} - {name}:
        write(f"/srv/{name}/a file of {other}", "which is a directory there")
# Owners and attributes.
os.setxattr("/srv/new", "user.color", b"green\0\xff")
os.setxattr("/etc/passwd", "user.changed", b"yes")
if not one_id:
    os.chown("/srv/fifo", 1, 34)
    os.chown("/srv/link", 2, 3, follow_symlinks=False)
    os.chown("/srv/new/nothing", 65534, 1000)
    os.chown("/usr/share/doc/moved", 10, 10)
    acl = struct.pack("<I", 2) + b"".join(
        struct.pack("<HHI", *entry) for entry in
        [(1, 6, 0xffffffff), (2, 4, 34), (4, 0, 0xffffffff), (16, 4, 0xffffffff),
         (32, 0, 0xffffffff)])
    os.setxattr("/srv/large", "system.posix_acl_access", acl)
    os.setxattr("/srv/new", "system.posix_acl_default", acl)
    os.setxattr("/srv/hard", "security.capability",
                struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0))
if os.path.exists("/null"):  # the device of an image
    os.chmod("/null", 0o604)
if os.fork() == 0:
    os.setsid()
    held = open("/etc/bash.bashrc", "r+")
    held.write("# written, and not yet to the disk")
    held.flush()
    emptied = open("/etc/issue", "r+")
    emptied.truncate(0)
    new = open("/srv/held", "w")
    new.write("x" * 3_000_000)
    new.flush()
    new_name = "/srv/held.ready"
    open(new_name, "w").close()
    os.close(1)
    os.close(2)
    while True:
        signal.pause()
