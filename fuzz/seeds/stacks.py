# SPDX-License-Identifier: Apache-2.0
"""Stacks of plain directories in the form that fuzz/layer_directory.cpp reads: a byte for the number
of layers, then for each operation its kind, its layer, its directory among those that the layer has
(0: its root, then as they were made), a name, and what the kind takes."""

from .requests import name

FILE, DIRECTORY, SYMLINK, DEVICE, WHITEOUT, OPAQUE, MARK, FIFO, LINK, MARKED_FILE, RENAME = (
    0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11)
MARKS = ["user.overlay.opaque", "user.overlay.redirect", "user.overlay.whiteout",
         "user.overlay.metacopy", "user.overlay.origin", "user.containers.override_stat",
         "user.fuseoverlayfs.opaque", "trusted.overlay.opaque", "trusted.overlay.redirect",
         "user.a", "security.fuseoverlayfs.override_stat", "user.fuseoverlayfs.override_stat",
         "trusted.overlay.metacopy"]
VALUES = ["y", "x", "/", "/d", "/d/../..", "..", "a", "/a/d/e"]


def operation(kind, layer, directory, text, *more):
    return bytes([kind, layer, directory]) + name(text) + b"".join(more)


def file(layer, directory, text, content=b"content"):
    return operation(FILE, layer, directory, text, bytes([len(content)]), content)


def folder(layer, directory, text):
    return operation(DIRECTORY, layer, directory, text)


def marked(key, value):
    if value in VALUES:
        return bytes([MARKS.index(key), VALUES.index(value)])
    return bytes([MARKS.index(key), 8, len(value)]) + value.encode()


def mark(layer, directory, key, value):
    """The name is not used."""
    return operation(MARK, layer, directory, "a", marked(key, value))


def marked_file(layer, directory, text, key, value):
    return operation(MARKED_FILE, layer, directory, text, marked(key, value))


def stacks():
    lower = folder(1, 0, "d") + file(1, 1, "f") + folder(1, 1, "deep") + file(1, 2, "a")
    yield "merged", 2, folder(0, 0, "d") + file(0, 1, "a", b"upper") + lower
    yield "device-whiteout", 2, folder(0, 0, "d") + operation(DEVICE, 0, 1, "f") + lower
    yield "file-whiteout", 2, operation(WHITEOUT, 0, 0, "d") + lower
    yield "whiteout-and-directory", 2, operation(WHITEOUT, 0, 0, "d") + folder(0, 0, "d") + lower
    yield "xattr-whiteout", 2, folder(0, 0, "d") + mark(0, 1, "user.overlay.opaque", "x") + \
        marked_file(0, 1, "f", "user.overlay.whiteout", "y") + lower
    yield "opaque-file", 2, folder(0, 0, "d") + operation(OPAQUE, 0, 1, "a") + lower
    yield "opaque-mark", 2, folder(0, 0, "d") + mark(0, 1, "user.overlay.opaque", "y") + lower
    yield "opaque-of-fuse-overlayfs", 2, folder(0, 0, "d") + \
        mark(0, 1, "user.fuseoverlayfs.opaque", "y") + lower
    yield "opaque-root", 2, mark(0, 0, "user.overlay.opaque", "y") + file(0, 0, "a") + lower
    for title, value in (("beside", "a"), ("absolute", "/d"), ("root", "/"), ("out", ".."),
                         ("out-absolute", "/d/../.."), ("missing", "/a/d/e"), ("nothing", ""),
                         ("slashes", "//d//deep"), ("itself", "/n"), ("long", "/" + "x" * 39), ("here-and-nul", ".\0x"),
                         ("absolute-nul", "/d/.\0")):
        yield "redirect-" + title, 3, folder(0, 0, "n") + \
            mark(0, 1, "user.overlay.redirect", value) + lower + folder(2, 0, "a") + \
            file(2, 1, "m")
    yield "redirects-in-a-row", 3, folder(0, 0, "n") + mark(0, 1, "user.overlay.redirect", "/m") + \
        folder(1, 0, "m") + mark(1, 1, "user.overlay.redirect", "/d") + folder(2, 0, "d") + \
        file(2, 1, "f")
    yield "redirect-of-a-parent", 2, folder(0, 0, "e") + folder(0, 1, "deep") + \
        mark(0, 1, "user.overlay.redirect", "/d") + lower
    yield "redirect-on-a-file", 2, marked_file(0, 0, "d", "user.overlay.redirect", "/d") + lower
    yield "redirect-trusted", 2, folder(0, 0, "n") + \
        mark(0, 1, "trusted.overlay.redirect", "/d") + lower
    yield "file-over-directory", 2, file(0, 0, "d") + lower
    yield "directory-over-file", 2, folder(0, 0, "d") + folder(0, 1, "f") + file(0, 2, "a") + lower
    yield "symlink-in-the-way", 3, operation(SYMLINK, 0, 0, "n") + operation(SYMLINK, 1, 0, "d") + \
        folder(2, 0, "d") + folder(2, 0, "n") + file(2, 2, "a")
    yield "names-of-one-file", 2, file(0, 0, "f") + operation(LINK, 0, 0, "f", name("h")) + \
        folder(0, 0, "d") + operation(LINK, 0, 0, "f", name("l")) + lower
    yield "metacopy", 2, marked_file(0, 0, "f", "user.overlay.metacopy", "") + lower
    yield "metacopy-trusted", 2, folder(0, 0, "d") + \
        marked_file(0, 1, "f", "trusted.overlay.metacopy", "") + lower
    yield "override-stat", 1, marked_file(0, 0, "f", "user.containers.override_stat", "0:0:0777")
    yield "special", 1, operation(FIFO, 0, 0, "n") + operation(SYMLINK, 0, 0, "m")
    yield "whiteout-names-in-the-way", 2, operation(WHITEOUT, 0, 0, ".wh.a") + \
        operation(DEVICE, 0, 0, ".wh.a") + folder(0, 0, ".wh.a") + lower


def seeds():
    for title, layers, operations in stacks():
        yield "layer_directory", title, bytes([layers - 1]) + operations
