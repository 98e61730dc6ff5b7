# SPDX-License-Identifier: Apache-2.0
"""Peers that know no images: they run on a kernel overlayfs of the image's unpacked layers."""

import json
import os
import shutil
import tarfile

from peers import BENCH_DIR, Peer

WHITEOUT, OPAQUE = ".wh.", ".wh..wh..opq"


def unpack(place, image, target):
    """Unpacks each layer to a directory of its own; a lowerdir= value, uppermost first."""
    layers = []
    with tarfile.open(place.tar(image)) as tar:
        for number, name in enumerate(place.manifest(image)["Layers"]):
            layer = os.path.join(target, str(number))
            os.makedirs(layer)
            with open(f"{layer}.tar", "wb") as copy:
                shutil.copyfileobj(tar.extractfile(name), copy)
            place.run(["tar", "-xf", f"{layer}.tar", "-C", layer, "--numeric-owner",
                       "--xattrs", "--xattrs-include=*"], as_root=True)
            os.unlink(f"{layer}.tar")
            mark_removals(layer)
            layers.insert(0, layer)
    return ":".join(layers)


def mark_removals(layer):
    """Gives an OCI layer's removals the form that overlayfs knows."""
    for folder, _, files in os.walk(layer):
        for name in files:
            path = os.path.join(folder, name)
            if name == OPAQUE:
                os.unlink(path)
                os.setxattr(folder, "trusted.overlay.opaque", b"y")
            elif name.startswith(WHITEOUT):
                os.unlink(path)
                os.mknod(os.path.join(folder, name[len(WHITEOUT):]), 0o020000, os.makedev(0, 0))


class Overlay:
    """A kernel overlayfs with an empty upper, mounted at `self.root` each time `mount` is called."""

    def __init__(self, place, image, directory):
        self.place, self.dir = place, directory
        self.root = os.path.join(directory, "merged")
        self.lower = unpack(place, image, os.path.join(directory, "layers"))

    def mount(self):
        for part in ("upper", "work", "merged"):
            os.makedirs(os.path.join(self.dir, part))
        options = f"lowerdir={self.lower},upperdir={self.dir}/upper,workdir={self.dir}/work"
        self.place.run(["mount", "-t", "overlay", "-o", options, "overlay", self.root],
                       as_root=True)

    def unmount(self):
        if os.path.ismount(self.root):
            self.place.run(["umount", "-R", self.root], as_root=True)
        for part in ("upper", "work", "merged"):
            shutil.rmtree(os.path.join(self.dir, part), ignore_errors=True)


class KernelOverlay(Peer):
    name = "overlayfs"
    programs = ("mount", "chroot")
    about = "the kernel's, under chroot: no container at all"

    def setup(self):
        self.make_dir()
        self.overlays = {image: Overlay(self.place, image, os.path.join(self.dir, image))
                         for image in self.place.loaded if image != "busybox"}

    def version(self):
        return f"Linux {os.uname().release}"

    def argv(self, image, work):
        overlay = self.overlays[image]
        overlay.unmount()
        overlay.mount()
        shown = overlay.root + BENCH_DIR
        os.mkdir(shown)
        for name in ("dev", "proc"):
            os.makedirs(f"{overlay.root}/{name}", exist_ok=True)
        self.place.run(["mount", "--bind", self.place.shown, shown])
        self.place.run(["mount", "--rbind", "/dev", overlay.root + "/dev"])
        self.place.run(["mount", "-t", "proc", "proc", overlay.root + "/proc"])
        return ["chroot", overlay.root, f"{BENCH_DIR}/inside", *work]

    def inside_argv(self, work):
        return self.argv("python", work)

    def inside_done(self):
        self.overlays["python"].unmount()

    def kept_argv(self, image, work):
        return self.argv(image, work)

    def kept_done(self, image):
        self.overlays[image].unmount()


class Runtime(Peer):
    """An OCI runtime: a bundle of its own `spec` without what a container of this table leaves out."""
    about = "its own default bundle on kernel overlayfs"

    def setup(self):
        self.make_dir()
        overlay = Overlay(self.place, "busybox", self.dir)
        overlay.mount()
        self.run([self.name, "spec", "--bundle", self.dir])
        path = os.path.join(self.dir, "config.json")
        with open(path, encoding="utf-8") as file:
            config = json.load(file)
        config["root"] = {"path": overlay.root}
        config["process"].update(terminal=False, args=["true"])
        config["process"].pop("rlimits", None)  # more than a confined root may set
        config["linux"]["cgroupsPath"] = f"/{self.place.cgroup}/{self.name}"
        with open(path, "w", encoding="utf-8") as file:
            json.dump(config, file)
        self.run(self.start_argv())

    def start_argv(self):
        return [self.name, "--root", f"{self.dir}/state", "run", "--bundle", self.dir, "bench"]


class Crun(Runtime):
    name = "crun"
    programs = ("crun",)


class Runc(Runtime):
    name = "runc"
    programs = ("runc",)


class Bwrap(Peer):
    name = "bwrap"
    programs = ("bwrap",)
    about = "--unshare-all on kernel overlayfs"

    def setup(self):
        self.make_dir()
        overlay = Overlay(self.place, "busybox", self.dir)
        overlay.mount()
        self.root = overlay.root
        self.run(self.start_argv())

    def start_argv(self):
        return ["bwrap", "--unshare-all", "--bind", self.root, "/", "--proc", "/proc",
                "--dev", "/dev", "true"]
