#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes damaged and hostile images out of a good one: damage.py ARCHIVE LAYOUT OUTDIR.

Each is OUTDIR/bad-WHAT, an archive or a layout that `lyr load` must refuse.
"""

import gzip
import hashlib
import io
import json
import os
import shutil
import sys
import tarfile


def entry(name, data=b"", **fields):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, data


def tar_of(*entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, data in entries:
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def saved_image(layer, diff_id=None, config=None, manifest=None):
    """A docker archive of one layer; the layer's digest is right unless another is given."""
    diff_id = diff_id or "sha256:" + hashlib.sha256(layer).hexdigest()
    if config is None:
        config = json.dumps({"architecture": "amd64", "os": "linux", "config": {},
                             "rootfs": {"type": "layers", "diff_ids": [diff_id]}}).encode()
    name = hashlib.sha256(config).hexdigest() + ".json"
    if manifest is None:
        manifest = json.dumps([{"Config": name, "RepoTags": ["bad:latest"],
                                "Layers": ["layer.tar"]}]).encode()
    return tar_of(entry(name, config), entry("layer.tar", layer),
                  entry("manifest.json", manifest))


def hostile_layers():
    link = {"type": tarfile.SYMTYPE}
    yield "dotdot", tar_of(entry("../escaped", b"x"))
    yield "dotdot-deep", tar_of(entry("a/../../../../../../../../../tmp/escaped", b"x"))
    yield "hardlink-out", tar_of(entry("passwd", type=tarfile.LNKTYPE, linkname="../etc/passwd"))
    yield "hardlink-missing", tar_of(entry("x", type=tarfile.LNKTYPE, linkname="not/there"))
    yield "through-file", tar_of(entry("file", b"x"), entry("file/below", b"y"))
    yield "root-is-link", tar_of(entry(".", linkname="/etc", **link))
    yield "cut-header", tar_of(entry("x", b"y"))[:300]
    yield "no-tar", b"this is no tar archive at all" * 100


def damaged_archives(good):
    for part in (4, 2, 1.05):
        yield f"cut-{part}", good[:int(len(good) / part)]
    at = good.index(b"\x7fELF") + 100000
    yield "flipped-byte", good[:at] + bytes([good[at] ^ 1]) + good[at + 1:]
    yield "empty", b""
    yield "zeros", bytes(10240)
    yield "cut-gzip", gzip.compress(good, 1)[:500000]
    layer = tar_of(entry("file", b"x"))
    yield "wrong-diff-id", saved_image(layer, "sha256:" + "0" * 64)
    yield "no-config", saved_image(layer, config=b"{")
    yield "no-manifest", saved_image(layer, manifest=b"[{]")
    yield "missing-layer", saved_image(layer, manifest=b'[{"Config":"x","Layers":["y"]}]')
    yield "deep-json", saved_image(layer, manifest=b"[" * 100000)
    for name, hostile in hostile_layers():
        yield name, saved_image(hostile)


def damaged_layouts(good, out):
    def copy(name):
        path = os.path.join(out, "bad-layout-" + name)
        shutil.copytree(good, path)
        return path

    def largest(path):
        blobs = os.path.join(path, "blobs", "sha256")
        return max((os.path.join(blobs, name) for name in os.listdir(blobs)), key=os.path.getsize)

    os.remove(largest(copy("no-blob")))
    path = largest(copy("cut-blob"))
    os.truncate(path, os.path.getsize(path) // 2)
    with open(largest(copy("flipped-byte")), "r+b") as blob:
        blob.seek(5000)
        byte = blob.read(1)[0]
        blob.seek(5000)
        blob.write(bytes([byte ^ 1]))
    os.remove(os.path.join(copy("no-index"), "index.json"))
    outward = largest(copy("outward-link"))
    os.remove(outward)
    os.symlink("/etc/passwd", outward)


def main():
    archive, layout, out = sys.argv[1:4]
    with open(archive, "rb") as file:
        good = file.read()
    for name, data in damaged_archives(good):
        with open(os.path.join(out, "bad-" + name), "wb") as file:
            file.write(data)
    damaged_layouts(layout, out)


if __name__ == "__main__":
    main()
