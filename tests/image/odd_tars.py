#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tars of odd things into a directory, with Python's tarfile and with GNU tar, in each of
their formats: odd_tars.py DIRECTORY"""

import io
import os
import subprocess
import sys
import tarfile

FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
LONG = "long/" + "/".join(["n" * 60] * 3)


class Maker:
    def __init__(self, path, kind):
        self.kind = kind
        self.tar = tarfile.open(path, "w", format=FORMATS[kind])

    def add(self, name, kind=tarfile.REGTYPE, content=b"", **more):
        info = tarfile.TarInfo(name)
        info.type, info.size, info.mtime = kind, len(content), 1700000000
        info.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
        for key, value in more.items():
            setattr(info, key, value)
        self.tar.addfile(info, io.BytesIO(content))

    def directory(self, name, **more):
        self.add(name, tarfile.DIRTYPE, **more)

    def symlink(self, name, target):
        self.add(name, tarfile.SYMTYPE, linkname=target, mode=0o777)

    def hard_link(self, name, target):
        self.add(name, tarfile.LNKTYPE, linkname=target)


def kinds(make):
    make.directory("d", uid=1000, gid=2000, mode=0o1777)
    make.add("d/file", content=b"content" * 99, uid=7, gid=8, mode=0o4751)
    make.symlink("d/link", "file")
    make.symlink("dangling", "nowhere/at/all")
    make.hard_link("second", "d/file")
    make.add("fifo", tarfile.FIFOTYPE, mode=0o600)
    make.add("null", tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666)
    make.add("disk", tarfile.BLKTYPE, devmajor=8, devminor=259, mode=0o660)
    make.add("empty", mode=0)


def names(make):
    make.directory("long")
    make.directory(LONG.rsplit("/", 1)[0])
    make.add(LONG, content=b"at the end of a long path")
    make.symlink("to", "t" * 99)
    if make.kind != "ustar":
        make.hard_link("hard", LONG)
        make.add("x" * 255, content=b"as long as a name may be")
        make.symlink("to-long", "../" * 50 + "t" * 200)
        make.hard_link("hard-long", "x" * 255)
    make.add("with space\tand\nnewline", content=b"1")
    make.add("\u00e9\u4e2d", content=b"2")
    make.add("-rf", content=b"3")
    make.add("back\\slash*[?]", content=b"4")


def again(make):
    make.add("f", content=b"first", uid=1)
    make.hard_link("g", "f")
    make.add("f", content=b"second", uid=2)
    make.directory("d", mode=0o700)
    make.add("d/below", content=b"x")
    make.directory("d", mode=0o711, uid=5)
    make.symlink("l", "d")
    make.directory("l", mode=0o750)
    make.add("s", content=b"a file, then a link")
    make.symlink("s", "f")
    make.symlink("t", "f")
    make.add("t", content=b"a link, then a file")
    make.add("e", content=b"a file, then a directory")
    make.directory("e")
    make.add("e/in", content=b"y")


def replaced(make):
    make.directory("over/a/b")
    make.add("over/a/b/c", content=b"z")
    make.add("over/beside", content=b"z")
    make.add("over", content=b"a directory with things in it, then a file")
    make.directory("down/to")
    make.add("down/to/it", content=b"1")
    make.symlink("down", "over")


def parents(make):
    make.add("made/by/itself/file", content=b"1")
    make.directory("real")
    make.symlink("through", "real")
    make.add("through/file", content=b"2")
    make.symlink("there", "made/by")
    make.add("there/more/of/it", content=b"3")
    make.add("./dots/./file", content=b"4")
    make.add("double//slash", content=b"5")


def times(make):
    make.add("epoch", mtime=0)
    make.add("late", mtime=2**33 - 1)
    if make.kind != "ustar":
        make.add("early", mtime=-86400)
        make.directory("uids", uid=2**21 + 5, gid=2**31)
    if make.kind == "pax":
        make.add("fraction", mtime=1700000000.25)
        make.add("early-fraction", mtime=-1.5)
        make.add("xattrs", content=b"x", pax_headers={"SCHILY.xattr.user.one": "1",
                                                      "SCHILY.xattr.user.two": "a=b\nc"})
        make.directory("marked", pax_headers={"SCHILY.xattr.user.kind": "directory"})


def with_tarfile(directory):
    for content in (kinds, names, again, replaced, parents, times):
        for kind in FORMATS:
            make = Maker(os.path.join(directory, f"python-{kind}-{content.__name__}"), kind)
            content(make)
            make.tar.close()


def write(path, content, mode=0o644):
    with open(path, "wb") as file:
        file.write(content)
    os.chmod(path, mode)


def a_tree(root):
    os.makedirs(os.path.join(root, "d", "e"))
    write(os.path.join(root, "d", "plain"), b"plain" * 2000, 0o640)
    write(os.path.join(root, "setuid"), b"#!", 0o6755)
    os.link(os.path.join(root, "d", "plain"), os.path.join(root, "z-link"))
    os.symlink("d/plain", os.path.join(root, "to-file"))
    os.link(os.path.join(root, "to-file"), os.path.join(root, "to-file-too"), follow_symlinks=False)
    os.mkfifo(os.path.join(root, "d", "fifo"))
    write(os.path.join(root, "d", "n" * 120), b"a long name")
    sparse = os.path.join(root, "sparse")
    with open(sparse, "wb") as file:
        for number in range(9):
            file.seek(number * 30000)
            file.write(b"piece %d" % number)
        file.truncate(400000)
    with open(os.path.join(root, "only-hole"), "wb") as file:
        file.truncate(1 << 18)
    try:
        os.setxattr(os.path.join(root, "d"), "user.of", b"a directory")
        os.setxattr(os.path.join(root, "setuid"), "user.empty", b"")
    except OSError:
        pass  # this file system has none
    for path, directories, files in os.walk(root):
        for name in directories + files:
            os.utime(os.path.join(path, name), (0, 1600000000.5), follow_symlinks=False)


def with_gnu_tar(directory, scratch):
    root = os.path.join(scratch, "tree")
    a_tree(root)
    too_long = "--exclude=" + "n" * 120
    for name, options in {
            "v7": ["--format=v7", "--exclude=fifo", too_long],
            "ustar": ["--format=ustar", too_long],
            "gnu": ["--format=gnu"],
            "oldgnu": ["--format=oldgnu"],
            "pax": ["--format=pax", "--xattrs"],
            "gnu-sparse": ["--format=gnu", "--sparse"],
            "pax-sparse-0.0": ["--format=pax", "--sparse-version=0.0", "--sparse"],
            "pax-sparse-0.1": ["--format=pax", "--sparse-version=0.1", "--sparse"],
            "pax-sparse-1.0": ["--format=pax", "--sparse-version=1.0", "--sparse", "--xattrs"],
            "hard-dereference": ["--format=gnu", "--hard-dereference"],
            "blocking": ["--format=gnu", "-b", "1"]}.items():
        subprocess.run(["tar", "-C", root, "--sort=name", *options, "-cf",
                        os.path.join(directory, "tar-" + name), "."], check=True)


def main(directory):
    scratch = directory + ".scratch"
    os.makedirs(scratch)
    with_tarfile(directory)
    with_gnu_tar(directory, scratch)
    subprocess.run(["rm", "-rf", scratch], check=True)


if __name__ == "__main__":
    main(sys.argv[1])
