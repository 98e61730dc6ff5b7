# SPDX-License-Identifier: Apache-2.0
"""One image of one layer in three archives, and what else could be done with their bytes."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile

import roots
from peers import Peer

NAME = "localhost/bench:latest"
COMPRESSORS = {"plain": None, "gzip": ["gzip", "-n", "-6", "-c"], "zstd": ["zstd", "-q", "-3", "-c"]}
KINDS = tuple(COMPRESSORS)


class Archive:
    def __init__(self, kind, path, layer, tar):
        self.kind, self.path, self.layer, self.tar = kind, path, layer, tar
        self.tar_bytes = os.path.getsize(tar)


def digest_of(data):
    return hashlib.sha256(data).hexdigest()


def as_json(value):
    return json.dumps(value).encode()


def write_tar(path, members):
    with tarfile.open(path, "w") as out:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            out.addfile(entry, io.BytesIO(data))


def config_of(layer):
    return as_json({"architecture": "amd64", "os": "linux", "config": {},
                    "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest_of(layer)]}})


def write_archive(path, kind, layer, config, name=NAME):
    """As `docker save` writes it; with compressed layers as an OCI archive, too, as podman does."""
    names = {data: f"blobs/sha256/{digest_of(data)}" for data in (config, layer)}
    members = {name: data for data, name in names.items()}
    members["manifest.json"] = as_json(
        [{"Config": names[config], "RepoTags": [name], "Layers": [names[layer]]}])
    if kind != "plain":
        prefix = "application/vnd.oci.image."

        def described(data, media_type):
            return {"mediaType": prefix + media_type, "size": len(data),
                    "digest": "sha256:" + digest_of(data)}

        manifest = as_json({"schemaVersion": 2, "mediaType": prefix + "manifest.v1+json",
                            "config": described(config, "config.v1+json"),
                            "layers": [described(layer, f"layer.v1.tar+{kind}")]})
        members[f"blobs/sha256/{digest_of(manifest)}"] = manifest
        named = described(manifest, "manifest.v1+json")
        named["annotations"] = {"org.opencontainers.image.ref.name": name}
        members["index.json"] = as_json({"schemaVersion": 2, "manifests": [named]})
        members["oci-layout"] = as_json({"imageLayoutVersion": "1.0.0"})
    write_tar(path, members)


def make(place, kinds):
    """The python image with all its files in one layer: an archive for each of `kinds`."""
    directory = os.path.join(place.dir, "archives")
    os.makedirs(directory)
    tar = os.path.join(directory, "layer.plain")
    overlay = roots.Overlay(place, "python", os.path.join(directory, "root"))
    overlay.mount()
    place.run(["tar", "-cf", tar, "--sort=name", "--numeric-owner", "--xattrs", "-C", overlay.root,
               "."], as_root=True)
    overlay.unmount()
    shutil.rmtree(os.path.join(directory, "root"))
    with open(tar, "rb") as file:
        config = config_of(file.read())
    archives = {}
    for kind in kinds:
        compress = COMPRESSORS[kind]
        layer = os.path.join(directory, f"layer.{kind}")
        if compress:
            with open(layer, "wb") as out:
                subprocess.run([*compress, tar], stdout=out, check=True)
        path = os.path.join(directory, f"{kind}.tar")
        with open(layer, "rb") as file:
            write_archive(path, kind, file.read(), config)
        archives[kind] = Archive(kind, path, layer, tar)
    return archives


class Skopeo(Peer):
    name = "skopeo"
    programs = ("skopeo",)
    about = "copy to containers-storage, overlay"

    def import_argv(self, archive):
        form = "docker" if archive.kind == "plain" else "oci"
        storage = f"[overlay@{self.dir}/root+{self.dir}/run]"
        return ["skopeo", "copy", "-q", "--insecure-policy", f"{form}-archive:{archive.path}",
                f"containers-storage:{storage}{NAME}"]

    def empty_store(self):
        if os.path.ismount(f"{self.dir}/root/overlay"):
            subprocess.run(["umount", f"{self.dir}/root/overlay"], check=True)
        for part in ("root", "run"):
            shutil.rmtree(f"{self.dir}/{part}", ignore_errors=True)


class Tar(Peer):
    name = "tar"
    programs = ("tar", "sync")
    about = "the layer unpacked, then sync -f"

    def import_argv(self, archive):
        return ["sh", "-ec", 'tar -C "$1" --numeric-owner -xf "$2"; sync -f "$1"', "sh",
                f"{self.dir}/root", archive.layer]

    def empty_store(self):
        shutil.rmtree(f"{self.dir}/root", ignore_errors=True)
        os.makedirs(f"{self.dir}/root")


class Disk(Peer):
    name = "disk"
    programs = ("dd",)
    about = "the tar's bytes written by dd with fdatasync, whatever the archive"

    def import_argv(self, archive):
        return ["dd", f"if={archive.tar}", f"of={self.dir}/copy", "bs=4M", "conv=fdatasync",
                "status=none"]

    def empty_store(self):
        if os.path.exists(f"{self.dir}/copy"):
            os.unlink(f"{self.dir}/copy")
