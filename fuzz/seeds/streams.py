# SPDX-License-Identifier: Apache-2.0
"""gzip and zstd streams, made by hand where zlib would not make them: RFC 1952 and RFC 8878."""

import struct
import zlib

TEXT = b"one two three one two three one two three\n"


def deflated(text, level=9, strategy=zlib.Z_DEFAULT_STRATEGY):
    packer = zlib.compressobj(level, zlib.DEFLATED, -15, 9, strategy)
    return packer.compress(text) + packer.flush()


def member(text=TEXT, body=None, flags=0, extra=b"", checksum=None, length=None):
    body = deflated(text) if body is None else body
    checksum = zlib.crc32(text) if checksum is None else checksum
    length = len(text) if length is None else length
    head = b"\x1f\x8b\x08" + bytes([flags]) + b"\0\0\0\0\x02\xff" + extra
    return head + body + struct.pack("<II", checksum, length & 0xffffffff)


def with_header_checksum(right):
    head = b"\x1f\x8b\x08\x02\0\0\0\0\x02\xff"
    checksum = zlib.crc32(head) & 0xffff
    return head + struct.pack("<H", checksum if right else checksum ^ 1) + member()[10:]


def gzips():
    one = member()
    yield "stored-blocks", member(body=deflated(TEXT, 0))
    yield "fixed-codes", member(body=deflated(TEXT, 9, zlib.Z_FIXED))
    yield "dynamic-codes", member(bytes(range(256)) * 3 + TEXT * 20)
    yield "run-lengths", member(b"a" * 3000, deflated(b"a" * 3000, 9, zlib.Z_RLE))
    yield "huffman-only", member(TEXT * 9, deflated(TEXT * 9, 9, zlib.Z_HUFFMAN_ONLY))
    yield "farthest-distance", member(TEXT + bytes(32768 - len(TEXT)) + TEXT)
    yield "empty", member(b"")
    yield "empty-between", one + member(b"") + one
    yield "three-members", one + member(b"x") + one
    yield "extra-field", member(flags=4, extra=struct.pack("<H", 6) + b"ab\2\0xy")
    yield "name-and-comment", member(flags=24, extra=b"name\0comment\0")
    yield "text-flag", member(flags=1)
    yield "reserved-flags", member(flags=0xe0)
    yield "header-checksum", with_header_checksum(True)
    yield "header-checksum-wrong", with_header_checksum(False)
    yield "checksum-wrong", member(checksum=1)
    yield "length-wrong", member(length=1)
    yield "zeros-behind", one + bytes(600)
    yield "garbage-behind", one + b"garbage"
    yield "zeros-then-member", one + bytes(9) + one
    yield "half-a-magic-behind", one + b"\x1f"
    yield "other-magic-behind", one + b"\x1f\x9d"
    yield "magic-alone", b"\x1f\x8b"
    yield "name-without-end", one[:3] + b"\x08" + one[4:10] + b"nnnnnnnn"
    yield "other-method", one[:2] + b"\x07" + one[3:]
    yield "trailer-cut", one[:-3]
    yield "block-type-3", member(b"", b"\x07\0")
    yield "stored-length-wrong", member(b"ab", b"\x01\x02\x00\xfe\xffab")
    yield "distance-before-start", member(b"aaaa", bytes([0x4b, 0x04, 0x02, 0x00]))
    yield "no-last-block", member(b"ab", b"\x00\x02\x00\xfd\xffab")
    yield "plain-text", TEXT
    yield "repeated-text", TEXT * 30


def frame(blocks, descriptor=0, after=b""):
    """A frame of (type, bytes or a size) blocks: 0 raw, 1 run, 2 compressed, 3 reserved."""
    head = b"\x28\xb5\x2f\xfd" + bytes([descriptor]) + after
    for number, (kind, size, body) in enumerate(blocks):
        last = number == len(blocks) - 1
        head += struct.pack("<I", size << 3 | kind << 1 | last)[:3] + body
    return head


def skippable(number, body, size=None):
    return struct.pack("<II", 0x184D2A50 + number, len(body) if size is None else size) + body


def zstds():
    raw = frame([(0, 5, b"hello")], 0, b"\x00")  # a window of 1 KiB, no content size
    single = frame([(0, 5, b"hello")], 0x20, b"\x05")  # one segment, its size said
    yield "raw-block", raw
    yield "single-segment", single
    yield "run-block", frame([(1, 1000, b"z")], 0, b"\x00")
    yield "run-then-raw", frame([(1, 9, b"z"), (0, 2, b"ab"), (1, 3, b"y")], 0, b"\x00")
    yield "no-block", frame([(0, 0, b"")], 0, b"\x00")
    yield "reserved-block", frame([(3, 5, b"hello")], 0, b"\x00")
    yield "compressed-literals", frame([(2, 4, b"\x10ab\0")], 0, b"\x00")
    yield "compressed-run", frame([(2, 3, b"\x29a\0")], 0, b"\x00")
    yield "block-past-window", frame([(1, 5000, b"z")], 0, b"\x00")
    yield "says-more", frame([(0, 5, b"hello")], 0x20, b"\x06")
    yield "says-less", frame([(0, 5, b"hello")], 0x20, b"\x04")
    yield "size-of-8-bytes", frame([(0, 5, b"hello")], 0xe0, struct.pack("<Q", 5))
    yield "size-huge", frame([(0, 5, b"hello")], 0xe0, struct.pack("<Q", 2**63))
    yield "window-huge", frame([(0, 5, b"hello")], 0, b"\xff")
    yield "window-128-mib", frame([(0, 5, b"hello")], 0, b"\x88")
    yield "window-past-limit", frame([(0, 5, b"hello")], 0, b"\x89")
    yield "dictionary-wanted", frame([(0, 5, b"hello")], 0x21, b"\x07\x05")
    yield "reserved-bit", frame([(0, 5, b"hello")], 0x28, b"\x05")
    yield "checksum-wrong", frame([(0, 5, b"hello")], 0x24, b"\x05") + b"abcd"
    yield "checksum-cut", frame([(0, 5, b"hello")], 0x24, b"\x05") + b"ab"
    yield "two-frames", raw + single
    yield "skippable-first", skippable(0, b"skip me") + raw
    yield "skippable-between", raw + skippable(15, b"") + single + skippable(7, b"x" * 300)
    yield "skippable-only", skippable(3, b"nothing else")
    yield "skippable-cut", raw + skippable(3, b"abc", 100)
    yield "skippable-huge", raw + skippable(3, b"abc", 0xffffffff)
    yield "garbage-behind", raw + b"garbage"
    yield "zeros-behind", raw + bytes(16)
    yield "magic-cut", raw + b"\x28\xb5"
    yield "old-magic", b"\x27" + raw[1:]
    yield "plain-text", TEXT
    yield "repeated-text", TEXT * 30


def seeds():
    for name, data in gzips():
        yield "gzip", name, data
    for name, data in zstds():
        yield "zstd", name, data
