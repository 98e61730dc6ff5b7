# SPDX-License-Identifier: Apache-2.0
# Run inside a container: a line for all that is in its root's file system, with whatever an image
# keeps of it. Sockets are not among that, nor what is mounted.
import hashlib
import os
import stat

own = {"/proc", "/sys", "/dev", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"}
with open("/proc/self/mountinfo") as mounts:
    mounted = own | {line.split()[4] for line in mounts} - {"/"}


def show(path):
    info = os.lstat(path)
    mode = info.st_mode
    if stat.S_ISSOCK(mode):
        return
    words = [repr(path), oct(mode), info.st_uid, info.st_gid]
    if path != "/":  # a layer does not have its time
        words.append(info.st_mtime_ns)
    if stat.S_ISREG(mode):
        with open(path, "rb") as file:
            words += [info.st_nlink, info.st_size, hashlib.file_digest(file, "sha256").hexdigest()]
    elif stat.S_ISLNK(mode):
        words.append(repr(os.readlink(path)))
    elif stat.S_ISBLK(mode) or stat.S_ISCHR(mode):
        words.append(info.st_rdev)
    for name in sorted(os.listxattr(path, follow_symlinks=False)):
        words += [name, os.getxattr(path, name, follow_symlinks=False).hex()]
    print(*words)
    if stat.S_ISDIR(mode):
        for name in sorted(os.listdir(os.fsencode(path))):
            below = os.path.join(path, os.fsdecode(name))
            if below not in mounted:
                show(below)


show("/")
