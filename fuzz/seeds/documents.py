# SPDX-License-Identifier: Apache-2.0
"""JSON documents: configs, manifests, indexes, docker's manifest.json, and whole layouts in the
form that fuzz/layout.cpp reads."""

import json

OCI = "application/vnd.oci.image."
DOCKER = "application/vnd.docker."
MANIFEST = OCI + "manifest.v1+json"
INDEX = OCI + "index.v1+json"
CONFIG = OCI + "config.v1+json"
LAYER = OCI + "layer.v1.tar"
DOCKER_MANIFEST = DOCKER + "distribution.manifest.v2+json"
DOCKER_LIST = DOCKER + "distribution.manifest.list.v2+json"
DOCKER_CONFIG = DOCKER + "container.image.v1+json"
DOCKER_LAYER = DOCKER + "image.rootfs.diff.tar"
DIGEST = "sha256:" + "a" * 64
OTHER_DIGEST = "sha256:" + "0123456789abcdef" * 4


def config(**more):
    return {"architecture": "amd64", "os": "linux", **more,
            "rootfs": {"type": "layers", "diff_ids": [DIGEST]}}


def descriptor(media_type, digest=DIGEST, size=7, **more):
    return {"mediaType": media_type, "digest": digest, "size": size, **more}


def manifest(layer=LAYER + "+gzip", config_type=CONFIG, **more):
    return {"schemaVersion": 2, "config": descriptor(config_type),
            "layers": [descriptor(layer), descriptor(layer, OTHER_DIGEST, 8)], **more}


def index(*manifests, **more):
    return {"schemaVersion": 2, "manifests": list(manifests), **more}


def platform(architecture, variant=None, system="linux"):
    said = {"os": system, "architecture": architecture}
    return {**said, "variant": variant} if variant else said


def configs():
    run = {"Env": ["PATH=/bin", "EMPTY=", "A==b"], "Entrypoint": ["/bin/sh", "-c"], "Cmd": [],
           "User": "1000:1000", "WorkingDir": "/srv", "StopSignal": "SIGTERM",
           "Volumes": {"/b": {}, "/a": {}}, "ExposedPorts": {"80/tcp": {}, "53/udp": {}},
           "Labels": {"org.opencontainers.image.title": "t", "": "x"}}
    yield "all-fields", config(created="2026-11-24T14:05:50.078608604Z", author="a", config=run)
    yield "text-commands", config(config={"Entrypoint": "one string", "Cmd": "another"})
    yield "escapes", config(author="\u00e9\U0001f40b\"\\\n\t/", config={"User": "\u0007"})
    yield "nul-in-user", config(config={"User": "root\u0000x"})
    yield "nul-in-env", config(config={"Env": ["A=\u0000"]})
    yield "nameless-env", config(config={"Env": ["=a"]})
    yield "empty-volume", config(config={"Volumes": {"": {}}})
    yield "env-of-numbers", config(config={"Env": [1]})
    yield "labels-of-objects", config(config={"Labels": {"a": {}}})
    yield "volumes-list", config(config={"Volumes": ["/a"]})
    yield "no-rootfs", {"os": "linux"}
    yield "rootfs-of-a-file", {"rootfs": {"type": "files", "diff_ids": []}}
    yield "no-layers", {"rootfs": {"type": "layers"}}
    yield "sha512", {"rootfs": {"type": "layers", "diff_ids": ["sha512:" + "a" * 128]}}
    yield "upper-case-digest", {"rootfs": {"type": "layers", "diff_ids": [DIGEST.upper()]}}
    yield "digest-is-a-path", {"rootfs": {"type": "layers", "diff_ids": ["sha256:../../etc"]}}
    yield "array", [config()]
    for name, created in {
            "offset": "2026-11-24T14:05:50+05:30", "west": "1969-12-31T23:59:59.5-11:45",
            "small-letters": "2026-11-24t14:05:50z", "leap-second": "2016-12-31T23:59:60Z",
            "no-day": "2026-02-30T00:00:00Z", "no-month": "2026-13-01T00:00:00Z",
            "no-hour": "2026-11-24T24:00:00Z", "signs": "+202-+1-+1T+1:+1:+1Z",
            "no-zone": "2026-11-24T14:05:50", "year-0": "0000-01-01T00:00:00+23:59",
            "no-fraction": "2026-11-24T14:05:50.Z", "zone-of-one-digit":
            "2026-11-24T14:05:50+5:30"}.items():
        yield "created-" + name, config(created=created)


def raw_configs():
    """Texts that a JSON writer would not write."""
    good = json.dumps(config())
    yield "key-twice-deep", good[:-1] + ',"x":{"a":{"b":1,"b":1}}}'
    yield "rootfs-twice", good[:-1] + ',"rootfs":null}'
    yield "key-twice-by-escape", good[:-1] + ',"\\u006fs":"linux"}'
    yield "depth-63", good[:-1] + ',"x":' + "[" * 63 + "]" * 63 + "}"
    yield "depth-64", good[:-1] + ',"x":' + "[" * 64 + "]" * 64 + "}"
    yield "trailing", good + "{}"
    yield "spaces", "\n\t " + good.replace(":", " :\r\n ") + "\n\n"
    yield "bom", "\ufeff" + good
    yield "surrogate-alone", good[:-1] + ',"author":"\\ud800"}'
    yield "number-huge", good[:-1] + ',"x":1e999}'
    yield "number-long", good[:-1] + ',"x":' + "9" * 400 + "}"
    yield "comment", "/* c */" + good
    yield "cut", good[:len(good) // 2]
    yield "nothing", ""


def manifests():
    for kind in ("", "+gzip", "+zstd"):
        yield "layer" + (kind or "-plain"), manifest(LAYER + kind)
    yield "foreign-layer", manifest(OCI + "layer.nondistributable.v1.tar+gzip")
    yield "docker-typed", manifest(DOCKER_LAYER + ".gzip", DOCKER_CONFIG, mediaType=DOCKER_MANIFEST)
    yield "docker-foreign", manifest(DOCKER + "image.rootfs.foreign.diff.tar.gzip", DOCKER_CONFIG)
    yield "no-layer", {"schemaVersion": 2, "config": descriptor(CONFIG), "layers": []}
    yield "helm-chart", manifest(config_type="application/vnd.cncf.helm.config.v1+json")
    yield "layer-of-unknown-kind", manifest("application/octet-stream")
    yield "says-index", manifest(mediaType=INDEX)
    yield "says-nothing", manifest(mediaType="")
    yield "says-null", manifest(mediaType=None)
    yield "schema-1", {"schemaVersion": 1, "fsLayers": [], "history": []}
    yield "both-null", manifest(manifests=None)
    yield "version-text", {**manifest(), "schemaVersion": "2"}
    yield "version-fraction", {**manifest(), "schemaVersion": 2.0}
    for name, size in {"max": 2**63 - 1, "past-max": 2**63, "negative": -1, "fraction": 7.5,
                       "text": "7", "missing": None}.items():
        yield "size-" + name, {**manifest(), "layers": [descriptor(LAYER, size=size)]}
    for name, digest in {"sha512": "sha512:" + "a" * 128, "path": "sha256:../../../etc/passwd",
                         "short": DIGEST[:-1], "long": DIGEST + "a", "upper": DIGEST.upper(),
                         "none": ""}.items():
        yield "digest-" + name, {**manifest(), "config": descriptor(CONFIG, digest)}


def saved():
    yield "saved-two", [{"Config": "a.json", "RepoTags": ["a:1", "b:2"], "Layers": ["a/layer.tar"]},
                        {"Config": "b.json", "RepoTags": None, "Layers": None}]
    yield "saved-no-config", [{"Config": "", "Layers": []}]
    yield "saved-path", [{"Config": "../../etc/passwd", "Layers": ["/etc/shadow"]}]
    yield "saved-object", {"Config": "a.json"}
    yield "saved-nothing", []


def indexes():
    image = descriptor(MANIFEST, platform=platform("amd64"))
    yield "platforms", index(image, descriptor(MANIFEST, platform=platform("arm64", "v8")),
                             descriptor(MANIFEST, platform=platform("amd64", "v1")),
                             descriptor(MANIFEST, platform=platform("amd64", "v3")),
                             descriptor(MANIFEST, platform=platform("amd64", None, "windows")))
    yield "docker-list", index(descriptor(DOCKER_MANIFEST), mediaType=DOCKER_LIST)
    yield "typed", index(image, mediaType=INDEX)
    yield "annotations", index(descriptor(MANIFEST, annotations={
        "org.opencontainers.image.ref.name": "latest", "io.containerd.image.name": "a/b:c"}))
    yield "artifact", index(descriptor(MANIFEST, artifactType="application/vnd.example"))
    yield "nothing", index()
    yield "says-manifest", index(image, mediaType=MANIFEST)
    yield "config-null", index(image, config=None)
    yield "manifests-object", {"schemaVersion": 2, "manifests": {}}
    yield "platform-text", index(descriptor(MANIFEST, platform="linux/amd64"))
    yield "annotation-number", index(descriptor(MANIFEST, annotations={"a": 1}))
    yield "annotation-nul", index(descriptor(MANIFEST, annotations={"a\u0000b": "c"}))
    yield "version-2", {"imageLayoutVersion": "2.0.0"}
    yield "version-number", {"imageLayoutVersion": 1}


def placed(media_type, number, **more):
    """A descriptor of a layout's document `number`."""
    return {"mediaType": media_type, "digest": f"DIGEST{number}", "size": f"SIZE{number}", **more}


def layout_text(*documents):
    texts = [d if isinstance(d, str) else json.dumps(d, separators=(",", ":")) for d in documents]
    text = "\n--\n".join(texts)
    for number in range(10):
        text = text.replace(f'"SIZE{number}"', f"SIZE{number}")
    return text


def layouts():
    image = {"schemaVersion": 2, "config": placed(CONFIG, 3), "layers": [placed(LAYER, 4)]}
    named = {"org.opencontainers.image.ref.name": "docker.io/library/a:1"}
    yield "full-name", index(placed(MANIFEST, 2, annotations=named)), "", image, config(), "layer"
    bad = {"io.containerd.image.name": "A:B:C"}
    yield "bad-name", index(placed(MANIFEST, 2, annotations=bad)), \
        "", image, config(), "layer"
    yield "digest-name", index(placed(MANIFEST, 2, annotations={
        "io.containerd.image.name": "a@" + DIGEST})), "", image, config(), "layer"
    yield "same-twice", index(placed(MANIFEST, 2, annotations=named), placed(MANIFEST, 2)), \
        "", image, config(), "layer"
    yield "config-is-manifest", index(placed(MANIFEST, 2)), "", \
        {"schemaVersion": 2, "config": placed(MANIFEST, 2), "layers": []}
    yield "layers-differ", index(placed(MANIFEST, 2)), "", {**image, "layers": []}, config(), "l"
    yield "wrong-size", index({**placed(MANIFEST, 2), "size": 5}), "", image, config(), "layer"
    yield "missing-blob", index(descriptor(MANIFEST)), ""
    yield "unknown-type", index(placed("text/plain", 2)), "", image, config(), "layer"
    yield "artifact-first", index(
        placed(MANIFEST, 2, artifactType="application/vnd.example"), placed(MANIFEST, 2)), \
        "", image, config(), "layer"
    chain = [index(placed(INDEX, n + 1)) for n in range(2, 7)]
    yield "five-deep", index(placed(INDEX, 2)), "", *chain, \
        {**image, "config": placed(CONFIG, 8)}, config(), "layer"
    deep_image = {"schemaVersion": 2, "config": placed(CONFIG, 6), "layers": [placed(LAYER, 7)]}
    yield "three-deep", index(placed(INDEX, 2)), "", chain[0], chain[1], \
        index(placed(MANIFEST, 5)), deep_image, config(), "l"
    saved_image = {"Config": "blobs/sha256/HEX2", "RepoTags": ["a:1"],
                   "Layers": ["blobs/sha256/HEX3"]}
    yield "saved-dots", "", [{**saved_image, "Config": "./x/../blobs//sha256/HEX2"}], config(), "l"
    yield "saved-bad-tag", "", [{**saved_image, "RepoTags": ["UPPER"]}], config(), "layer"
    yield "saved-layer-outside", "", [{**saved_image, "Layers": ["../layer.tar"]}], config(), "l"
    yield "saved-false-digest", "", [{**saved_image, "Config": "blobs/sha256/" + "b" * 64}], \
        config(), "layer"
    yield "saved-tag-of-two", "", [saved_image, {**saved_image, "Config": "blobs/sha256/HEX4"}], \
        config(), "layer", config(author="another")
    yield "saved-no-image", "", []
    yield "neither", "", ""


def seeds():
    for name, document in configs():
        yield "config", name, json.dumps(document)
    for name, text in raw_configs():
        yield "config", name, text.encode("utf-8", "surrogatepass")
    for name, document in [*manifests(), *saved()]:
        yield "manifest", name, json.dumps(document)
    for name, document in indexes():
        yield "index", name, json.dumps(document)
    for name, *documents in layouts():
        yield "layout", name, layout_text(*documents)
