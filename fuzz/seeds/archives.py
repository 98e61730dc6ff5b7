# SPDX-License-Identifier: Apache-2.0
"""Whole image archives: docker save's, old and new, and OCI layouts, good and not quite."""

import hashlib
import json

from . import documents, streams, tars

LAYER = documents.LAYER


def sha(data):
    return hashlib.sha256(data).hexdigest()


def text(json_value):
    return json.dumps(json_value, separators=(",", ":")).encode()


def layer(*names):
    return b"".join(tars.entry(name, name.encode() * 3) for name in names) + tars.END


def gzipped(data):
    return streams.member(data, streams.deflated(data))


def zstandard(data):
    """One raw block, or more of them, in a frame whose window is 128 KiB."""
    blocks = [data[at:at + 4096] for at in range(0, len(data), 4096)]
    return streams.frame([(0, len(block), block) for block in blocks], 0, b"\x38")


def config(layers, **more):
    return text({"architecture": "amd64", "os": "linux", **more, "rootfs": {
        "type": "layers", "diff_ids": ["sha256:" + sha(one) for one in layers]}})


def archive(files):
    """`files`: name -> content; a name that ends in "/" is a directory, a tuple (type, target)."""
    tar = b""
    for name, content in files.items():
        if isinstance(content, tuple):
            tar += tars.header(name, content[0], link=content[1])
        elif name.endswith("/"):
            tar += tars.directory(name)
        else:
            tar += tars.entry(name, content)
    return tar + tars.END


def saved(*images, repositories=None):
    """docker save's manifest.json; each image: (config's file, tags, layers' files)."""
    files = {"manifest.json": text([{"Config": one, "RepoTags": tags, "Layers": layers}
                                    for one, tags, layers in images])}
    if repositories:
        files["repositories"] = text(repositories)
    return files


class Layout:
    def __init__(self):
        self.files = {"oci-layout": text({"imageLayoutVersion": "1.0.0"}), "blobs/": b"",
                      "blobs/sha256/": b""}

    def blob(self, data, media_type, **more):
        self.files["blobs/sha256/" + sha(data)] = data
        return documents.descriptor(media_type, "sha256:" + sha(data), len(data), **more)

    def manifest(self, layers, packed=lambda data: data, suffix="", **more):
        return self.blob(text({
            "schemaVersion": 2, "mediaType": documents.MANIFEST,
            "config": self.blob(config(layers), documents.CONFIG),
            "layers": [self.blob(packed(one), LAYER + suffix) for one in layers]}),
            documents.MANIFEST, **more)

    def whole(self, *manifests, **more):
        return archive({**self.files, "index.json": text(documents.index(*manifests)), **more})


def named(name):
    return {"annotations": {"org.opencontainers.image.ref.name": name}}


def docker():
    one, two = layer("a", "b/c"), layer("a", ".wh.b", "d")
    files = {sha(one) + ".tar": one, sha(two) + ".tar": two}
    both = config([one, two], created="2026-01-02T03:04:05Z")
    name = sha(both) + ".json"
    whole = saved((name, ["a:1", "b:2"], list(files)))
    yield "docker", archive({name: both, **files, **whole})
    yield "docker-manifest-first", archive({**whole, name: both, **files})
    alone = config([one])
    yield "docker-two-images", archive({
        name: both, sha(alone) + ".json": alone, **files,
        **saved((name, ["a:1"], list(files)), (sha(alone) + ".json", [], list(files)[:1]))})
    old = {"1" * 64 + "/": b"", "1" * 64 + "/VERSION": b"1.0", "1" * 64 + "/layer.tar": one,
           "2" * 64 + "/": b"", "2" * 64 + "/layer.tar": ("2", "../" + "1" * 64 + "/layer.tar")}
    twice = config([one, one])
    yield "docker-old", archive({
        **old, "config.json": twice,
        **saved(("config.json", ["a:1"], [one for one in old if one.endswith("layer.tar")]),
                repositories={"a": {"1": "2" * 64}})})
    yield "docker-no-layer", archive({"c.json": config([]), **saved(("c.json", ["a:1"], []))})
    yield "docker-gzip", archive({"c.json": alone, "l": gzipped(one),
                                  **saved(("c.json", [], ["l"]))})
    yield "docker-hard-link", archive({"c.json": twice, "l": one, "m": ("1", "l"),
                                       **saved(("c.json", [], ["l", "m"]))})
    yield "docker-link-loop", archive({"c.json": alone, "l": ("2", "m"), "m": ("2", "l"),
                                       **saved(("c.json", [], ["l"]))})
    yield "docker-no-file", archive({"c.json": alone, **saved(("c.json", [], ["l"]))})
    yield "docker-other-layer", archive({"c.json": alone, "l": two, **saved(("c.json", [], ["l"]))})
    yield "docker-cut-layer", archive({"c.json": config([one[:700]]), "l": one[:700],
                                       **saved(("c.json", [], ["l"]))})
    bad = tars.hard_link("h", "gone") + tars.END
    yield "docker-no-such-link", archive({"c.json": config([bad]), "l": bad,
                                          **saved(("c.json", ["a:1"], ["l"]))})
    yield "docker-tag-twice", archive({"c.json": alone, "d.json": both, "l": one, "m": two,
                                       **saved(("c.json", ["a:1"], ["l"]),
                                               ("d.json", ["a:1"], ["l", "m"]))})
    yield "whole-gzip", gzipped(archive({"c.json": alone, "l": one, **saved(("c.json", [], ["l"]))}))
    yield "no-image", archive({"f": b"x"})


def layouts():
    layers = [layer("a", "b/c"), layer(".wh.a", "d")]
    for name, packed, suffix in (("plain", lambda data: data, ""), ("gzip", gzipped, "+gzip"),
                                 ("zstd", zstandard, "+zstd")):
        oci = Layout()
        yield "oci-" + name, oci.whole(oci.manifest(layers, packed, suffix, **named("a:1")))
    oci = Layout()
    first = oci.manifest(layers[:1], platform=documents.platform("amd64"))
    other = oci.manifest(layers, platform=documents.platform("arm64", "v8"))
    nested = oci.blob(text(documents.index(first, other)), documents.INDEX, **named("latest"))
    yield "oci-index", oci.whole(nested)
    oci = Layout()
    yield "oci-two", oci.whole(oci.manifest(layers, **named("a:1")),
                               oci.manifest(layers[1:], gzipped, "+gzip", **named("b:2")))
    oci = Layout()
    manifest = oci.manifest(layers, gzipped, "+gzip")
    config_name = "blobs/sha256/" + sha(config(layers))
    files = ["blobs/sha256/" + sha(gzipped(one)) for one in layers]
    yield "oci-and-docker", oci.whole(manifest, **saved((config_name, ["a:1"], files)))
    oci = Layout()
    manifest = oci.manifest(layers)
    del oci.files["blobs/sha256/" + sha(layers[1])]
    yield "oci-blob-missing", oci.whole(manifest)
    oci = Layout()
    manifest = oci.manifest(layers)
    oci.files["blobs/sha256/" + sha(layers[1])] = layers[0]
    yield "oci-blob-differs", oci.whole(manifest)
    oci = Layout()
    says_gzip = oci.manifest(layers, suffix="+gzip")
    yield "oci-says-gzip", oci.whole(says_gzip)
    yield "oci-cut", Layout().whole()[:-1024]


def seeds():
    for group in (docker, layouts):
        for name, data in group():
            yield "archive", name, data
