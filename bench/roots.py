# SPDX-License-Identifier: Apache-2.0
"""Peers that know no images: they run on a kernel overlayfs of the image's unpacked layers."""

import json
import os
import re
import shutil
import tarfile

from peers import BENCH_DIR, Peer, Unavailable

WHITEOUT, OPAQUE = ".wh.", ".wh..wh..opq"
DEVICES = {"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9}


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


def mounts_beneath(directory):
    """Where something is mounted, on the directory itself, too."""
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        points = [re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), line.split()[4])
                  for line in mounts]
    return [point for point in points if f"{point}/".startswith(f"{directory}/")]


class Overlay:
    """A kernel overlayfs with an empty upper, mounted at `self.root` each time `mount` is called."""

    def __init__(self, place, image, directory):
        self.place, self.dir = place, directory
        self.root = os.path.join(directory, "merged")
        self.unmount()
        shutil.rmtree(os.path.join(directory, "layers"), ignore_errors=True)  # of a try that failed
        self.lower = unpack(place, image, os.path.join(directory, "layers"))

    def mount(self):
        for part in ("upper", "work", "merged"):
            os.makedirs(os.path.join(self.dir, part))
        options = f"lowerdir={self.lower},upperdir={self.dir}/upper,workdir={self.dir}/work"
        self.place.run(["mount", "-t", "overlay", "-o", options, "overlay", self.root],
                       as_root=True)

    def unmount(self):
        if mounts_beneath(self.root):
            self.place.run(["umount", "-R", self.root], as_root=True)
        # Nothing is removed through a mount that is still there.
        left = mounts_beneath(self.root)
        if left:
            raise Unavailable(f"{left[-1]} is still mounted")
        for part in ("upper", "work", "merged"):
            shutil.rmtree(os.path.join(self.dir, part), ignore_errors=True)


class Copy(Overlay):
    """A copy of the image's tree, made anew each time `mount` is called."""

    def __init__(self, place, image, directory):
        super().__init__(place, image, directory)
        super().mount()
        self.original = os.path.join(directory, "original")
        shutil.rmtree(self.original, ignore_errors=True)
        place.run(["cp", "-a", self.root, self.original], as_root=True)
        self.unmount()
        shutil.rmtree(os.path.join(directory, "layers"))

    def mount(self):
        self.place.run(["cp", "-a", self.original, self.root], as_root=True)
        self.place.run(["mount", "--bind", self.root, self.root], as_root=True)


class KernelOverlay(Peer):
    name = "overlayfs"
    programs = ("mount", "chroot")
    rootless = True  # beside rootless peers: measured as root all the same
    about = "the kernel's, as root under chroot: no container at all"
    kind = Overlay

    def setup(self):
        self.make_dir()
        self.roots = {}  # by image, each made when it is first wanted

    def version(self):
        return f"Linux {os.uname().release}"

    def run(self, argv):
        return self.place.run(argv, as_root=True)

    def mount_argv(self, lowers, target):
        return ["mount", "-t", "overlay", "-o", f"lowerdir={lowers}", "overlay", target]

    def inside_argv(self, image, work, is_kept):
        if image not in self.roots:
            self.roots[image] = self.kind(self.place, image, os.path.join(self.dir, image))
        root = self.roots[image]
        root.unmount()
        root.mount()
        shown = root.root + BENCH_DIR
        os.mkdir(shown)
        for name in ("dev", "proc"):
            os.makedirs(f"{root.root}/{name}", exist_ok=True)
        self.run(["mount", "--bind", self.place.shown, shown])
        self.run(["mount", "-t", "tmpfs", "tmpfs", root.root + "/dev"])
        for name, minor in DEVICES.items():
            os.mknod(f"{root.root}/dev/{name}", 0o020666, os.makedev(1, minor))
            os.chmod(f"{root.root}/dev/{name}", 0o666)
        self.run(["mount", "-t", "proc", "proc", root.root + "/proc"])
        return ["chroot", root.root, f"{BENCH_DIR}/inside", *work]

    def inside_done(self, image, is_kept):
        self.roots[image].unmount()


class Native(KernelOverlay):
    name = "native"
    mount_argv = Peer.mount_argv
    about = "no union: a copy of the image just made, as root under chroot; its caches are warm"
    kind = Copy


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
