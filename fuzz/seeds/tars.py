# SPDX-License-Identifier: Apache-2.0
"""Layers: every feature of a tar that lyr reads, and what attackers have made of them."""

import base64

USTAR, GNU, V7 = b"ustar\x0000", b"ustar  \x00", bytes(8)
END = bytes(1024)


def number(value, width):
    """Octal text, or GNU's base-256 where that is too short or the number is negative."""
    if 0 <= value < 8 ** (width - 1):
        return b"%0*o\0" % (width - 1, value)
    mark = 0x80 if value >= 0 else 0xff
    return bytes([mark]) + value.to_bytes(width - 1, "big", signed=value < 0)


def header(name, kind="0", size=0, link="", mode=0o644, uid=0, gid=0, mtime=0, magic=USTAR,
           major=0, minor=0, prefix="", raw=()):
    """`raw`: (offset, bytes) put over what the fields gave."""
    block = bytearray(512)

    def put(offset, data):
        block[offset:offset + len(data)] = data

    put(0, name.encode()[:100])
    put(100, number(mode, 8))
    put(108, number(uid, 8))
    put(116, number(gid, 8))
    put(124, number(size, 12))
    put(136, number(mtime, 12))
    put(156, kind.encode())
    put(157, link.encode()[:100])
    put(257, magic)
    if kind in "34":
        put(329, number(major, 8) + number(minor, 8))
    put(345, prefix.encode())
    for offset, data in raw:
        put(offset, data)
    put(148, b" " * 8)
    put(148, b"%06o\0 " % sum(block))
    return bytes(block)


def padded(data):
    return data + bytes(-len(data) % 512)


def entry(name, content=b"", **more):
    return header(name, size=len(content), **more) + padded(content)


def directory(name, **more):
    return header(name, "5", mode=0o755, **more)


def symlink(name, target):
    return header(name, "2", link=target, mode=0o777)


def hard_link(name, target):
    return header(name, "1", link=target)


def record(key, value):
    value = value if isinstance(value, bytes) else value.encode()
    body = b" " + key.encode() + b"=" + value + b"\n"
    length = len(body)
    while len(str(length)) + len(body) != length:
        length = len(str(length)) + len(body)
    return str(length).encode() + body


def pax(kind="x", **records):
    return entry("pax", b"".join(record(key, value) for key, value in records.items()), kind=kind)


def pax_of(pairs, kind="x"):
    return entry("pax", b"".join(record(key, value) for key, value in pairs), kind=kind)


def long_name(text, kind="L"):
    return entry("././@LongLink", text.encode() + b"\0", kind=kind, magic=GNU)


def features():
    yield "types", directory("d/") + entry("d/f", b"content") + symlink("l", "d/f") + \
        hard_link("h", "d/f") + header("c", "3", major=1, minor=3) + \
        header("b", "4", major=8, minor=1) + header("p", "6") + entry("7", b"x", kind="7")
    yield "modes", entry("s", b"#!", mode=0o6755) + directory("t", uid=5, gid=7) + \
        entry("none", b"", mode=0)
    yield "prefix", entry("name", b"x", prefix="a/prefix")
    yield "v7-directory", header("d/", "\0", magic=V7) + entry("d/f", b"x", magic=V7)
    yield "star-prefix", header("name", prefix="p" * 100, raw=[(508, b"tar\0")])
    yield "long-names", long_name("n" * 150) + long_name("t" * 180, "K") + \
        header("cut", "2", link="cut", magic=GNU)
    yield "pax-names", pax(path="d/" + "n" * 200) + entry("cut", b"x") + \
        pax(linkpath="t" * 200) + symlink("l", "cut")
    yield "pax-values", pax(uid="3000000000", gid="4294967294", mtime="1700000000.123456789") + \
        entry("f", b"x") + pax(mtime="-1.5") + entry("g")
    yield "base-256", header("ids", uid=0xfffffffe, gid=0x200000) + header("old", mtime=-5) + \
        header("size", raw=[(124, b"\x80" + bytes(10) + b"\x03")]) + padded(b"abc")
    yield "xattr", pax_of([("SCHILY.xattr.user.a", b"v\0w"), ("SCHILY.xattr.security.capability",
                           b"\1\0\0\2\0\4\0\0" + bytes(12))]) + entry("f") + \
        pax_of([("LIBARCHIVE.xattr.user.b%20c", base64.b64encode(b"\0\1").rstrip(b"="))]) + \
        entry("g")
    yield "overlay-xattr", pax_of([("SCHILY.xattr.trusted.overlay.opaque", "y")]) + \
        directory("d") + pax_of([("SCHILY.xattr.user.overlay.whiteout", "y")]) + entry("d/f")
    yield "global-comment", pax("g", comment="a commit") + entry("f", b"x")
    yield "no-end", entry("f", b"x")
    yield "one-zero-block", entry("f", b"x") + bytes(512)
    yield "record-of-10240", (entry("f", b"x") + END).ljust(10240, b"\0")
    yield "names-with-dots", directory("./") + directory("./a") + entry("./a//b", b"x") + \
        entry("/c", b"y")
    yield "names-of-bytes", pax_of([("path", b"\xff\xfe\n\t\x01")]) + entry("f", b"x") + \
        entry("\u00e9\u00ff", b"x")
    yield "root-attributes", directory("./", uid=1, gid=2) + entry("f")
    yield "two-blocks", entry("exact", b"e" * 512) + entry("more", b"m" * 513)
    yield "zeros-inside", entry("z", b"a" + bytes(2000) + b"b")


def sparse():
    content = b"hello" + b"123"
    pieces = [(0, 5), (8192, 3)]

    def old(size, segments, extended=False):
        raw = [(386 + 24 * i, number(at, 12) + number(length, 12))
               for i, (at, length) in enumerate(segments)]
        raw += [(482, b"\1" if extended else b"\0"), (483, number(size, 12))]
        return header("old", "S", sum(length for _, length in segments[:4]), magic=GNU, raw=raw)

    named = [("GNU.sparse.name", "real"), ("GNU.sparse.realsize", "10000")]
    flat = ",".join(f"{at},{length}" for at, length in pieces)
    each = [item for at, length in pieces
            for item in (("GNU.sparse.offset", str(at)), ("GNU.sparse.numbytes", str(length)))]
    version = [("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0")]
    lines = padded(b"2\n0\n5\n8192\n3\n")
    yield "old-form", old(10000, pieces) + padded(content)
    yield "old-hole-at-end", old(10000, [(0, 8), (10000, 0)]) + padded(content)
    block = b"".join(number(at, 12) + number(1, 12) for at in range(5000, 5003))
    block = block.ljust(512, b"\0")
    first = header("old", "S", 7, magic=GNU, raw=[
        *[(386 + 24 * i, number(at, 12) + number(1, 12)) for i, at in enumerate((0, 9, 99, 999))],
        (482, b"\1"), (483, number(6000, 12))])
    yield "old-extended", first + block + padded(b"abcdefg")
    yield "form-0.0", pax_of([*named, ("GNU.sparse.numblocks", "2"), *each]) + entry("x", content)
    yield "form-0.1", pax_of([*named, ("GNU.sparse.numblocks", "2"), ("GNU.sparse.map", flat)]) + \
        entry("x", content)
    yield "form-1.0", pax_of([*named, *version]) + entry("x", lines + content)
    yield "form-1.0-hole-only", pax_of([*named, *version]) + entry("x", padded(b"1\n10000\n0\n"))
    yield "form-1.0-empty-map", pax_of([*named, *version]) + entry("x", padded(b"0\n"))
    yield "overlap", pax_of([*named, ("GNU.sparse.map", "0,5,4,3")]) + entry("x", content)
    yield "past-the-end", pax_of([*named, ("GNU.sparse.map", "0,5,9999,3")]) + entry("x", content)
    yield "two-maps", pax_of([*named, ("GNU.sparse.map", flat)]) + old(10000, pieces) + \
        padded(content)
    yield "too-few-segments", pax_of([*named, ("GNU.sparse.numblocks", "9"),
                                      ("GNU.sparse.map", flat)]) + entry("x", content)
    yield "count-huge", pax_of([*named, *version]) + entry("x", padded(b"99999999999\n"))
    yield "on-a-symlink", pax_of([*named, ("GNU.sparse.map", flat)]) + symlink("x", "y")
    yield "star-real-size", pax_of([("SCHILY.realsize", "10000")]) + entry("x", content)


def layers():
    yield "whiteouts", entry("a", b"x") + entry(".wh.a") + entry("d/.wh.b") + directory("d")
    yield "opaque-last", directory("d") + entry("d/f", b"x") + entry("d/.wh..wh..opq")
    yield "aufs", directory(".wh..wh.plnk") + entry(".wh..wh.plnk/1.2", b"x") + \
        entry(".wh..wh.aufs")
    yield "bare-whiteout-deep", entry("d/.wh.", b"")
    yield "whiteout-of-dots", entry(".wh...")
    yield "whiteout-as-directory", directory(".wh.d") + entry(".wh.d/f")
    yield "whiteout-through-link", symlink("l", "/etc") + entry("l/.wh.passwd")
    yield "twice-file", entry("f", b"first") + entry("f", b"second")
    yield "file-over-directory", directory("d") + entry("d/f", b"x") + entry("d", b"file")
    yield "directory-over-file", entry("d", b"file") + directory("d") + entry("d/f", b"x")
    yield "directory-twice", directory("d", uid=1) + entry("d/f", b"x") + directory("d", gid=2)
    yield "directory-over-link", directory("r") + symlink("d", "r") + directory("d") + \
        entry("d/f", b"x")
    yield "parents-implied", entry("a/b/c/d", b"x") + directory("a/b", uid=9)
    yield "file-as-parent", entry("f", b"x") + entry("f/g", b"y")
    yield "link-as-parent", directory("real") + symlink("l", "real") + entry("l/f", b"x")
    yield "link-to-later", symlink("l", "later") + entry("l/f", b"x") + directory("later", uid=3)
    yield "link-out", symlink("l", "../../../../tmp") + entry("l/f", b"x")
    yield "link-absolute", symlink("l", "/tmp/escape") + entry("l/f", b"x")
    yield "link-loop", symlink("a", "b") + symlink("b", "a") + entry("a/f", b"x")
    yield "link-to-itself-deep", symlink("a", "a/a") + entry("a/f", b"x")
    yield "dots", entry("a/../../f", b"x")
    yield "dots-last", directory("a/..")
    yield "absolute", entry("/etc/passwd", b"x")
    yield "hard-link-chain", entry("a", b"x") + hard_link("b", "a") + hard_link("c", "b") + \
        entry("a", b"new")
    yield "hard-link-before", hard_link("b", "a") + entry("a", b"x")
    yield "hard-link-out", hard_link("b", "../../../etc/passwd")
    yield "hard-link-absolute", hard_link("b", "/etc/passwd")
    yield "hard-link-itself", entry("a", b"x") + hard_link("a", "a")
    yield "hard-link-to-directory", directory("d") + hard_link("b", "d")
    yield "hard-link-to-symlink", symlink("l", "x") + hard_link("b", "l")
    yield "hard-link-through-link", directory("d") + entry("d/f", b"x") + symlink("l", "d") + \
        hard_link("h", "l/f")
    yield "hard-link-over-directory", entry("f", b"x") + directory("d") + entry("d/g", b"y") + \
        hard_link("d", "f")
    yield "hard-link-of-whiteout", entry("a", b"x") + hard_link(".wh.b", "a")
    yield "root-is-a-file", entry(".", b"x")
    yield "deep", b"".join(directory("d/" * depth) for depth in range(1, 50))


def hostile():
    inner = entry("hidden", b"x")
    outer = header("outer")
    yield "size-of-pax-only", pax(size=str(len(inner))) + outer + inner + entry("after", b"y")
    yield "size-of-header-only", pax(size="0") + entry("outer", inner) + entry("after", b"y")
    yield "size-differs", pax(size="512") + header("outer", size=1024) + bytes(1024)
    yield "size-empty", pax(size="") + entry("outer", inner) + entry("after", b"y")
    yield "size-negative", header("f", raw=[(124, b"\xff" * 12)])
    yield "size-huge", header("f", raw=[(124, b"\x80" + b"\x7f" * 11)])
    yield "size-text", header("f", raw=[(124, b"0x000000005\0")])
    yield "size-on-directory", header("d", "5", size=512) + bytes(512)
    yield "size-on-hard-link", entry("a", b"x") + header("h", "1", size=1, link="a") + padded(b"x")
    yield "id-negative", header("f", uid=-1)
    yield "id-past-32-bits", pax(uid="4294967296") + entry("f")
    yield "id-minus-one", pax(gid="4294967295") + entry("f")
    yield "pax-twice", pax(path="a") + pax(path="b") + entry("f")
    yield "pax-at-the-end", pax(path="a")
    yield "pax-names-differ", pax(path="a") + long_name("b") + entry("f")
    yield "pax-key-twice", pax_of([("path", "a"), ("path", "b")]) + entry("f", b"x")
    yield "pax-taken-back", pax_of([("path", "a"), ("path", "")]) + entry("f", b"x")
    yield "pax-of-pax", pax(size="512") + pax(path="b") + entry("f")
    yield "global-path", pax("g", path="a") + entry("f")
    yield "global-size", pax("g", size="9") + entry("f")
    for name, text in {"no-length": b"path=a\n", "length-zero": b"0 path=a\n", "length-long":
                       b"99 path=a\n", "length-minus": b"-9 path=a\n", "no-newline": b"8 path=a",
                       "no-equals": b"8 patha\n", "nul": b"10 path=a\0b\n"}.items():
        yield "record-" + name, entry("pax", text, kind="x") + entry("f")
    yield "long-name-twice", long_name("a") + long_name("b") + entry("f")
    yield "long-name-huge", header("x", "L", size=8 << 30) + bytes(512)
    yield "long-name-nul-first", entry("x", b"\0abc", kind="L", magic=GNU) + entry("f")
    yield "checksum-signed", header("\u00ff\u00ff\u00ff")
    yield "checksum-wrong", entry("f", b"x")[:148] + b"0000000\0" + entry("f", b"x")[156:]
    yield "device-huge", header("c", "3", major=1 << 20)
    yield "type-unknown", header("f", "M") + entry("g")
    yield "solaris-header", entry("X", record("path", "a"), kind="X") + entry("f")
    yield "zero-blocks-between", entry("a", b"x") + bytes(512) + entry("b", b"y")
    yield "entry-behind-the-end", entry("a", b"x") + END + entry("b", b"y")
    yield "garbage-behind-the-end", entry("a", b"x") + END + b"garbage"
    yield "content-cut", entry("a", b"x" * 700)[:-300]
    yield "header-cut", entry("a", b"x") + header("b")[:300]
    yield "slash-on-a-file", entry("f/", b"x")
    yield "no-name", header("")
    yield "no-target", header("l", "2")
    yield "acl", pax_of([("SCHILY.acl.access", "user::rwx,group::r-x,mask::r-x,other::---")]) + \
        entry("f", b"x")
    yield "acl-of-mode-only", pax_of([("SCHILY.acl.access", "user::rwx,group::r-x,other::---")]) + \
        entry("f", b"x")
    yield "acl-cut", pax_of([("SCHILY.acl.access", "user::rwx,gro")]) + entry("f", b"x")


def seeds():
    for group, whole in ((features, True), (sparse, True), (layers, True), (hostile, False)):
        for name, data in group():
            ends = whole and name not in ("no-end", "one-zero-block", "record-of-10240")
            prefix = "sparse-" if group is sparse else ""
            yield "tar", prefix + name, data + (END if ends else b"")
