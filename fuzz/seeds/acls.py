# SPDX-License-Identifier: Apache-2.0
"""POSIX ACLs as extended attributes, after the byte that says which ids there are."""

import struct

USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER = 1, 2, 4, 8, 16, 32
NONE = 0xffffffff
PLAIN = [(USER_OBJ, 7, NONE), (GROUP_OBJ, 5, NONE), (OTHER, 1, NONE)]
NAMED = [(USER_OBJ, 7, NONE), (USER, 6, 34), (USER, 0, 1000), (GROUP_OBJ, 5, NONE),
         (GROUP, 4, 10), (GROUP, 0, 2000), (MASK, 6, NONE), (OTHER, 7, NONE)]


def acl(entries, version=2):
    return struct.pack("<I", version) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def seeds():
    for ids in range(4):
        yield "acl", f"named-{ids}", bytes([ids]) + acl(NAMED)
    yield "acl", "plain", b"\0" + acl(PLAIN)
    yield "acl", "empty", b"\0" + acl([])
    yield "acl", "cut", b"\0" + acl(NAMED)[:-3]
    yield "acl", "version", b"\0" + acl(PLAIN, 3)
    yield "acl", "no-mask", b"\0" + acl([*NAMED[:6], NAMED[7]])
    yield "acl", "twice", b"\0" + acl([*PLAIN, PLAIN[2]])
    yield "acl", "permissions", b"\0" + acl([(USER_OBJ, 8, NONE), *PLAIN[1:]])
