#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes an image that is large in one way, out of a small one (a `docker save` archive).

    tests/e2e/large.py BASE.tar NAME files COUNT [IN-ONE-DIRECTORY] >ARCHIVE
    tests/e2e/large.py BASE.tar NAME layers COUNT >ARCHIVE

`files` adds one layer of COUNT small files beneath /many, a thousand to a directory, half of them
empty; with IN-ONE-DIRECTORY another layer has that many in /wide. `layers` adds COUNT layers of ten
files each: layer N adds /layers/N/, replaces /layers/last, removes what layer N - 1 put into
/layers/gone and lists itself in /layers/all.
"""
import hashlib
import io
import json
import sys
import tarfile


def entry(name, content=b"", kind=b"0", mode=0o644):
    """A ustar entry; the time is fixed, so that the same call makes the same bytes."""
    block = bytearray(512)
    block[0:len(name)] = name
    block[100:156] = b"%07o\0%07o\0%07o\0%011o\0%011o\0        " % (
        mode, 0, 0, len(content), 1700000000)
    block[156:157] = kind
    block[257:265] = b"ustar\00000"
    block[148:156] = b"%06o\0 " % sum(block)
    if not content:
        return bytes(block)
    return bytes(block) + content + bytes(-len(content) % 512)


def directory(name):
    return entry(name, kind=b"5", mode=0o755)


def layer_of_files(count):
    parts = [directory(b"many/")]
    for number in range(count):
        if number % 1000 == 0:
            parts.append(directory(b"many/%d/" % (number // 1000)))
        content = b"%d\n" % number if number % 2 else b""
        parts.append(entry(b"many/%d/%d" % (number // 1000, number), content))
    return b"".join(parts) + bytes(1024)


def layer_of_one_directory(count):
    parts = [directory(b"wide/")]
    parts += [entry(b"wide/%d" % number) for number in range(count)]
    return b"".join(parts) + bytes(1024)


def one_of_many_layers(number):
    parts = [directory(b"layers/"), directory(b"layers/%d/" % number)]
    parts += [entry(b"layers/%d/%d" % (number, i), b"%d in %d\n" % (i, number)) for i in range(5)]
    parts.append(entry(b"layers/last", b"%d\n" % number))
    parts.append(directory(b"layers/gone/"))
    parts.append(entry(b"layers/gone/%d" % number, b"gone\n"))
    if number > 0:
        parts.append(entry(b"layers/gone/.wh.%d" % (number - 1)))
    return b"".join(parts) + bytes(1024)


def main():
    base_path, name, kind = sys.argv[1:4]
    counts = [int(argument) for argument in sys.argv[4:]]
    if kind == "files":
        layers = [layer_of_files(counts[0])]
        layers += [layer_of_one_directory(count) for count in counts[1:]]
    elif kind == "layers":
        layers = [one_of_many_layers(number) for number in range(counts[0])]
    else:
        sys.exit(f"large: no kind '{kind}' (there are: files, layers)")
    out = tarfile.open(fileobj=sys.stdout.buffer, mode="w|")

    def add(path, data):
        member = tarfile.TarInfo(path)
        member.size = len(data)
        out.addfile(member, io.BytesIO(data))

    with tarfile.open(base_path) as base:
        manifest = json.load(base.extractfile("manifest.json"))[0]
        config = json.load(base.extractfile(manifest["Config"]))
        for path in manifest["Layers"]:
            add(path, base.extractfile(path).read())
    for number, layer in enumerate(layers):
        add(f"{number}.tar", layer)
        manifest["Layers"].append(f"{number}.tar")
        config["rootfs"]["diff_ids"].append("sha256:" + hashlib.sha256(layer).hexdigest())
        config.setdefault("history", []).append({"created_by": f"layer {number}"})
    manifest.update(Config="config.json", RepoTags=[name])
    add("config.json", json.dumps(config).encode())
    add("manifest.json", json.dumps([manifest]).encode())
    out.close()


if __name__ == "__main__":
    main()
