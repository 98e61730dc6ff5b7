# SPDX-License-Identifier: Apache-2.0
"""What is measured, in which order, and how it is printed."""

import os
import shutil
import statistics
import subprocess
import sys
import time

import imports
import large
import many
import peers
import roots
import table
import toolbox

PEERS = [peers.Lyr, peers.LyrFuse, peers.LyrPassthrough, peers.LyrIoUring, peers.Docker,
         peers.Podman, peers.PodmanFuse, roots.KernelOverlay, roots.Native, roots.Crun, roots.Runc,
         roots.Bwrap, imports.Skopeo, imports.Tar, imports.Disk]
ROWS = [  # key, label, unit, what is done
    ("start", "start", "true", "run --rm --network none busybox true, from outside"),
    ("mount", "mount", "100 layers", "one union of 100 directories, from outside"),
    ("load", "load", "python", "load -i python.tar into an empty store, from outside"),
    ("plain", "import", "plain", "load of python in one layer, not compressed, into an empty store"),
    ("gzip", "import", "gzip", "the same, the layer as gzip -6 makes it"),
    ("zstd", "import", "zstd", "the same, the layer as zstd -3 makes it"),
    ("find", "fresh find", "/ -xdev", "the first walk of a fresh container's whole tree"),
    ("stat", "warm stat", "100,000", "lstat of known paths of /usr/share, again and again"),
    ("du", "warm du", "/", "du -sx / of the image's tree, again"),
    ("whole", "read all", "first", "a fresh container's whole tree, walked and read as tar does"),
    ("again", "read all", "again", "the same once more"),
    ("first", "first read", "550 files", "every file of the python library, as it is found"),
    ("read", "warm read", "550 files", "the same, read before"),
    ("write", "write", "256 MiB", "a new file, in order, not synchronised"),
    ("seq", "warm read", "256 MiB", "that file, in order"),
    ("cold", "cold read", "256 MiB", "a file of an image, in order; caches were dropped"),
    ("rread", "random read", "20,000", "4 KiB each of that file"),
    ("rwrite", "random write", "20,000", "4 KiB each into that file"),
    ("untar", "untar", "twice", "unpack all that is in the image, in the container, twice"),
    ("rm", "rm -rf", "new", "of what untar made"),
    ("chmod", "chmod -R", "image's", "of the image's /usr"),
    ("rmlow", "rm -rf", "image's", "of the image's /usr"),
    ("byte", "one byte", "256 MiB", "written into a file of an image, which is copied up for it"),
    ("diff", "diff", "1 change", "of a container that changed one of an image's 80,000 files"),
    ("commit", "commit", "1 change", "of the same"),
    *toolbox.ROWS,
]
CONTAINERS = [  # image, rows that one fresh container of it gives, in this order
    ("python", ("find", "stat", "du", "first", "read", "write", "seq", "rread", "rwrite", "untar",
                "rm", "chmod", "rmlow")),
    ("python", ("whole", "again")),
    (large.IMAGE, ("byte",)),
    (large.IMAGE, ("cold",)),
    (toolbox.IMAGE, toolbox.KEYS),
]
NEEDS = {"seq": "write", "rread": "write", "rwrite": "write", "rm": "untar", "again": "whole"}
OUTSIDE_ROWS = ("diff", "commit")
MADE = {large.IMAGE: large.make, many.IMAGE: many.make}  # images that are made for a run
LIBRARY = "/usr/lib/python3.11"  # of the python image
WORK_DIR = "/root/bench"
LAYERS = 100  # of the row mount
DROP_CACHES = "/proc/sys/vm/drop_caches"


class Bench:
    def __init__(self, options, place, programs):
        self.options, self.place, self.programs = options, place, programs
        self.rows = [row for row in ROWS if row[0] in options.only]
        self.keys = [row[0] for row in self.rows]
        needed = {*self.keys, *(NEEDS[key] for key in self.keys if key in NEEDS)}
        self.containers = [(image, [key for key in keys if key in needed])
                           for image, keys in CONTAINERS if needed.intersection(keys)]
        self.images = {image for image, _ in self.containers}
        self.outside_keys = [key for key in OUTSIDE_ROWS if key in self.keys]
        if self.outside_keys:
            self.images.add(many.IMAGE)
        place.loaded += sorted(self.images.difference(place.loaded))
        self.import_keys = [key for key in imports.KINDS if key in self.keys]
        self.archives = {}
        self.samples, self.missing, self.running = {}, [], []

    def say(self, text):
        print(f"bench/run: {text}", file=sys.stderr, flush=True)

    def setup_peer(self, kind):
        peer = kind(self.place)
        try:
            peer.check()
            self.running.append(peer)  # from here on it needs a close
            peer.setup()
            self.samples[peer.name] = {}
        except (peers.Unavailable, OSError) as error:
            self.missing.append(f"{peer.name}: {error}")
            self.running = [other for other in self.running if other is not peer]
            peer.close()
            if kind is peers.Lyr:
                raise

    def drop(self, peer, key, error):
        """A peer that fails at one row keeps its others."""
        self.samples[peer.name][key] = None
        self.missing.append(f"{peer.name}, {key}: {error}")
        self.say(self.missing[-1])

    def rounds(self, key, prepare, measure):
        """Each peer in turn, then again: what else the machine does falls on all of them alike."""
        for number in range(self.options.n + 1):
            self.say(f"{key}: " + (f"{number} of {self.options.n}" if number else "warming up"))
            for peer in self.running:
                if key in self.samples[peer.name] and self.samples[peer.name][key] is None:
                    continue
                try:
                    prepare(peer)
                    # What was written before is on the disk before a clock starts.
                    subprocess.run(["sync", "-f", self.place.dir], check=True)
                    found = measure(peer)
                except (peers.Unavailable, OSError, subprocess.SubprocessError) as error:
                    self.drop(peer, key, error)
                    continue
                if number == 0 or found is None:
                    continue
                for name, ms in found.items():
                    self.samples[peer.name].setdefault(name, []).append(ms)

    def timed(self, peer, argv, key):
        if argv is None:
            return None
        begun = time.perf_counter()
        peer.run(argv)
        return {key: (time.perf_counter() - begun) * 1e3}

    def measure(self):
        python = self.place.tar("python")
        if "load" in self.keys:
            self.rounds("load", lambda peer: peer.empty_store(),
                        lambda peer: self.timed(peer, peer.load_argv(python), "load"))
        for key in self.import_keys:
            self.rounds(key, lambda peer: peer.empty_store(),
                        lambda peer, key=key: self.timed(
                            peer, peer.import_argv(self.archives[key]), key))
        for peer in self.running:
            for image in self.place.loaded:
                argv = peer.load_argv(self.place.tar(image))
                if argv is not None:
                    peer.run(argv)
        if "start" in self.keys:
            self.rounds("start", lambda peer: None,
                        lambda peer: self.timed(peer, peer.start_argv(), "start"))
        if "mount" in self.keys:
            self.rounds("mount", lambda peer: None, self.timed_mount)
        for image, keys in self.containers:
            self.rounds(f"{image}, {keys[0]}", lambda peer: None,
                        lambda peer, image=image, keys=keys: self.printed(peer, image, keys))
        for key in self.outside_keys:
            self.rounds(key, lambda peer: peer.make_change(many.IMAGE, many.FILE),
                        lambda peer, key=key: self.timed_change(peer, key))

    def timed_mount(self, peer):
        target = os.path.join(self.place.dir, "target")
        os.makedirs(target, exist_ok=True)
        layers = [f"layers/{number}" for number in range(LAYERS)]
        for layer in layers:
            os.makedirs(f"{self.place.dir}/{layer}/of", exist_ok=True)
        argv = peer.mount_argv(":".join(layers), target)
        try:
            return self.timed(peer, argv, "mount")
        finally:
            if roots.mounts_beneath(target):
                subprocess.run(["umount", target], check=True)

    def timed_change(self, peer, key):
        try:
            return self.timed(peer, peer.diff_argv() if key == "diff" else peer.commit_argv(), key)
        finally:
            peer.drop_change(many.IMAGE)

    def inside_work(self, keys):
        library, file, image_file = [LIBRARY], ["/root/large"], ["/large"]
        arguments = {"find": ["/"], "stat": ["/usr/share"], "first": library, "read": library,
                     "du": ["/"], "whole": ["/"], "again": ["/"],
                     "write": file, "seq": file, "rread": file, "rwrite": file,
                     "untar": [f"{peers.BENCH_DIR}/tree.tar", WORK_DIR], "rm": [WORK_DIR],
                     "chmod": ["/usr"], "rmlow": ["/usr"], "byte": image_file, "cold": image_file}
        if keys[0] in toolbox.KEYS:
            return toolbox.work(keys)
        return [word for key in keys for word in (key, *arguments[key])]

    def printed(self, peer, image, keys):
        """The times that a container of the peer's prints."""
        is_kept = image != "python"  # fsync counts: see toolbox.py
        argv = peer.inside_argv(image, self.inside_work(keys), is_kept)
        if argv is None:
            return None
        try:
            subprocess.run(["sync", "-f", self.place.dir], check=True)
            if "cold" in keys:
                with open(DROP_CACHES, "w", encoding="ascii") as drop:
                    drop.write("3")
            said = peer.run(argv)
        finally:
            peer.inside_done(image, is_kept)
        found = dict(line.split() for line in said.splitlines())
        if list(found) != keys:
            raise peers.Unavailable(f"it printed {said!r}")
        return {key: float(ms) for key, ms in found.items()}

    def make_shown(self):
        """What a container is shown: the program that measures, and a tar of the image's files."""
        os.makedirs(self.place.shown)
        # Of its own, so that a walk that stays on one file system does not enter it.
        self.place.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", self.place.shown],
                       as_root=True)
        shutil.copy(self.programs["bench_inside"], os.path.join(self.place.shown, "inside"))
        if "untar" not in (key for _, keys in self.containers for key in keys):
            return
        overlay = roots.Overlay(self.place, "python", os.path.join(self.place.dir, "shown-root"))
        overlay.mount()
        self.place.run(["tar", "-cf", f"{self.place.shown}/tree.tar", "-C", overlay.root,
                        "--exclude=./dev", "."], as_root=True)
        overlay.unmount()

    def is_wanted(self, kind):
        if self.options.peers and kind.name not in self.options.peers:
            return False
        imports_too = (kind.load_argv is not peers.Peer.load_argv
                       or kind.import_argv is not peers.Peer.import_argv)
        imports_only = kind.import_argv is not peers.Peer.import_argv
        others = len(self.keys) > len(self.import_keys)
        return bool(self.import_keys and imports_too) or bool(others and not imports_only)

    def run(self):
        self.make_shown()
        if self.import_keys:
            self.say("making archives")
            self.archives = imports.make(self.place, self.import_keys)
        for image in sorted(self.images.intersection(MADE)):
            self.say(f"making the image {image}")
            MADE[image](self.place)
        wanted = [kind for kind in PEERS if kind is peers.Lyr or self.is_wanted(kind)]
        try:
            for kind in wanted:
                self.say(f"preparing {kind.name}")
                self.setup_peer(kind)
            self.measure()
            self.print_table()
            self.print_stages()
        finally:
            for peer in self.running:
                peer.close()

    def print_speeds(self, key):
        archive = self.archives[key]
        speeds = [f"{name} {archive.tar_bytes / statistics.median(found[key]) / 1e3:.0f}"
                  for name, found in self.samples.items() if found.get(key)]
        print(f"import {key}, MB/s of {archive.tar_bytes / 1e6:.0f} MB of tar: "
              + ", ".join(speeds))

    def print_stages(self):
        """Where lyr's time goes: a program that loads as lyr does and takes the stages apart."""
        for key in self.import_keys:
            print(f"\nlyr, import {key}:")
            print(self.place.run([self.programs["bench_import"], self.archives[key].path,
                                  str(self.options.n)], {"TMPDIR": self.place.dir}, as_root=True),
                  end="")

    def print_table(self):
        for samples in self.samples.values():
            samples.update({key: None for key in samples if key not in self.keys})
        for rows in (self.import_keys, [key for key in self.keys if key not in self.import_keys]):
            columns = [name for name, found in self.samples.items() if any(map(found.get, rows))]
            if rows:
                render = table.render_markdown if self.options.markdown else table.render
                print(render([row[:3] for row in self.rows if row[0] in rows], columns,
                             self.samples, self.options.base) + "\n")
        for key in self.import_keys:
            self.print_speeds(key)
        print(f"Milliseconds: median, times {self.options.base}'s; smallest–largest beneath. "
              f"{self.options.n} samples, peers in turn.")
        for key, label, _, what in self.rows:
            print(f"  {label}: {what}")
        for peer in self.running:
            print(f"  {peer.name}: {peer.version()}; {peer.about}")
        for reason in self.missing:
            print(f"  not measured: {reason}")
        print(machine(self.place.dir))


def machine(directory):
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        model = next((line.split(":")[1].strip() for line in info if line.startswith("model name")),
                     os.uname().machine)
    file_system = subprocess.run(["findmnt", "-n", "-o", "FSTYPE", "-T", directory],
                                 capture_output=True, text=True, check=True).stdout.split()[-1]
    load = statistics.mean(os.getloadavg()[:2])
    return (f"{model}, {os.cpu_count()} cores (load {load:.1f}), Linux {os.uname().release}, "
            f"{file_system}")
