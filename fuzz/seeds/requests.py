# SPDX-License-Identifier: Apache-2.0
"""Streams of FUSE requests in the form that fuzz/fuse_stream.cpp reads: a byte of options, then for
each request its kind, its node among those that are held, and what its body takes."""

import struct

KINDS = ("lookup getattr setattr readlink symlink mknod mkdir unlink rmdir rename link open read "
         "write statfs fsync fsyncdir setxattr getxattr listxattr removexattr fallocate lseek copy "
         "tmpfile readdir readdirplus ioctl").split()
NAMES = ["a", "d", "e", "f", "h", "l", "n", "m", ".wh.a", "deep", "empty", ".wh..wh..opq"]
XATTRS = ["user.a", "user.overlay.opaque", "user.overlay.redirect", "user.overlay.whiteout",
          "user.containers.override_stat", "user.overlay.origin", "security.capability",
          "trusted.overlay.opaque", "system.posix_acl_access"]
ROOT = 0
FORGET_ALL = bytes([248])


def name(text):
    return bytes([NAMES.index(text)])


def long_name(letter):
    return bytes([15]) + letter.encode() * 255


def word(number):
    return struct.pack("<H", number)


def size(number):
    return b"\1" + word(number)


def request(kind, node=ROOT, *body):
    return bytes([KINDS.index(kind), node]) + b"".join(body)


def make(text, mode=0o644, node=ROOT, kind=0):
    return request("mknod", node, bytes([kind]), word(mode), b"\0", name(text))


def directory(text, node=ROOT):
    return request("mkdir", node, word(0o755), name(text))


def look(text, node=ROOT):
    return request("lookup", node, name(text))


def write(node, at, text):
    return request("write", node, size(at), b"\0", bytes([len(text)]), text)


def rename(old, new, node=ROOT, to=ROOT, flags=0):
    return request("rename", node, bytes([to, flags]), name(old), name(new))


def link(node, text, to=ROOT):
    return request("link", to, bytes([node]), name(text))


def attributes(node, valid, file_size=0, mode=0, uid=0, gid=0, time=0):
    return request("setattr", node, word(valid), size(file_size), word(mode), word(uid),
                   bytes([gid]), size(time), word(0))


def xattr(node, key, value):
    return request("setxattr", node, bytes([XATTRS.index(key), len(value)]), value, b"\0")


def read(kind="read", node=ROOT, at=0, count=4096):
    return request(kind, node, size(at), word(count))


def flags(node, command, value=b"", room=64):
    return request("ioctl", node, bytes([command, len(value)]), value, bytes([room]))


def streams():
    yield "look-around", look("d") + look("f") + look("n") + read("readdir") + \
        read("readdirplus", 1) + request("statfs") + request("getattr", 1)
    yield "create-and-write", make("n") + write(1, 0, b"hello") + write(1, 9000, b"far") + \
        read("read", 1) + request("lseek", 1, size(0), b"\1") + request("fsync", 1, b"\0")
    yield "copy-up", look("f") + write(1, 3, b"changed") + read("read", 1) + look("h") + \
        attributes(2, 0b1000, file_size=10)
    yield "copy-up-by-mode", look("a") + attributes(1, 0b111, mode=0o600, uid=7, gid=8) + \
        attributes(1, 0b110000, time=5)
    yield "remove-and-make-again", request("unlink", ROOT, name("a")) + look("a") + make("a") + \
        request("unlink", ROOT, name("f")) + directory("f") + look("f")
    yield "remove-a-tree", look("d") + look("deep", 1) + look("e", 2) + \
        request("unlink", 3, name("a")) + request("rmdir", 2, name("e")) + \
        request("rmdir", 1, name("deep")) + request("rmdir", ROOT, name("d"))
    yield "rename-file-over-file", rename("a", "f") + look("f") + look("a") + rename("f", "n")
    yield "rename-lower-directory", rename("d", "n") + look("n") + look("deep", 1) + \
        rename("deep", "m", 1) + directory("d") + look("d")
    yield "rename-exchange", rename("a", "d", flags=2) + look("a") + look("d")
    yield "rename-whiteout", rename("a", "n", flags=4) + look("a")
    yield "rename-into-itself", look("d") + rename("d", "e", ROOT, 1)
    yield "rename-over-empty", directory("n") + rename("n", "empty") + rename("d", "empty")
    yield "links", look("f") + link(1, "n") + link(1, "m") + request("unlink", ROOT, name("f")) + \
        write(1, 0, b"through one name") + look("h")
    yield "symlinks", request("symlink", ROOT, name("n"), b"\0", name("a")) + \
        request("symlink", ROOT, name("m"), b"\1", name("d")) + request("readlink", 1) + \
        look("l") + request("readlink", 3)
    yield "whiteout-names", make(".wh.a") + make(".wh..wh..opq") + directory(".wh.a") + \
        rename("a", ".wh.a") + look(".wh.a")
    yield "special-files", make("n", kind=3) + make("m", kind=4) + make("e", kind=6) + look("m")
    yield "xattrs", look("f") + xattr(1, "user.a", b"upper") + request("listxattr", 1, b"\1" +
        word(4096)) + request("getxattr", 1, b"\1", word(100), bytes([0])) + \
        request("removexattr", 1, bytes([0])) + look("d") + xattr(2, "user.overlay.opaque", b"y") + \
        xattr(2, "user.overlay.redirect", b"/../../..") + xattr(1, "security.capability", b"\1") + \
        xattr(1, "user.containers.override_stat", b"0:0:0777")
    yield "removed-but-held", make("n") + request("unlink", ROOT, name("n")) + \
        write(1, 0, b"still here") + read("read", 1) + attributes(1, 0b1001, 3, 0o400) + \
        FORGET_ALL + bytes([1])
    yield "removed-directory-held", directory("n") + request("rmdir", ROOT, name("n")) + \
        make("a", node=1) + directory("m", 1) + read("readdirplus", 1)
    yield "tmpfile", request("tmpfile", ROOT, word(0o600)) + write(1, 0, b"x") + link(1, "n")
    yield "holes", make("n") + request("fallocate", 1, size(0), word(8192), b"\0") + \
        request("fallocate", 1, size(4096), word(4096), b"\3") + write(1, 100, b"x") + \
        request("lseek", 1, size(0), b"\0") + request("copy", 1, size(0), b"\1", size(20000),
                                                      word(9000))
    yield "long-names", request("mknod", ROOT, b"\0", word(0o644), b"\0", long_name("n")) + \
        request("lookup", ROOT, long_name("n")) + request("mkdir", ROOT, word(0), long_name("m"))
    yield "file-as-directory", look("f") + look("a", 1) + make("a", node=1) + \
        read("readdir", 1) + look("d") + read("read", 2) + write(2, 0, b"x")


def flag_streams():
    immutable, append_only, no_dump = 0x10, 0x20, 0x40
    get, set_, get_extended, set_extended = range(4)

    def one(number):
        return struct.pack("<I", number)

    yield "file-flags", look("f") + flags(1, get) + flags(1, set_, one(immutable)) + \
        write(1, 0, b"x") + attributes(1, 0b1, mode=0o600) + request("unlink", ROOT, name("f")) + \
        request("open", 1) + link(1, "n") + xattr(1, "user.a", b"1") + flags(1, get_extended) + \
        flags(1, set_, one(no_dump)) + request("unlink", ROOT, name("f"))
    yield "directory-flags", look("d") + flags(1, set_, one(append_only)) + make("n", node=1) + \
        request("unlink", 1, name("n")) + rename("n", "m", 1, 1) + rename("a", "f", ROOT, 1) + \
        request("rmdir", ROOT, name("d")) + flags(1, set_extended, bytes(28)) + \
        request("unlink", 1, name("n"))
    yield "flags-that-are-none", look("f") + look("l") + look("d") + flags(1, set_, b"\1") + \
        flags(1, get, b"", 1) + flags(2, get) + flags(3, set_, one(immutable)) + \
        flags(1, set_extended, b"\xff" * 28) + flags(1, set_, b"\xff" * 4) + flags(1, 252)


def seeds():
    for title, stream in streams():
        yield "fuse_stream", title, b"\0" + stream
        yield "fuse_stream", title + "-one-id", b"\3" + stream
    for title, stream in flag_streams():
        yield "fuse_stream", title, b"\x20" + stream
        yield "fuse_stream", title + "-one-id", b"\x23" + stream
    for option, title in ((4, "no-redirects"), (8, "whiteout-files"), (15, "all-options")):
        yield "fuse_stream", title, bytes([option]) + b"".join(one for _, one in streams())
