# SPDX-License-Identifier: Apache-2.0
"""lyr and the programs it is measured beside, each with a state of its own beneath `place.dir`.

A peer says how each row of the table is run; what it cannot do stays None. Whatever is mounted or
started here lives in the private mount and pid namespaces that `bench/run` made, and ends with them.
"""

import json
import os
import shutil
import subprocess
import tarfile
import time

DAEMON_TIMEOUT_S = 60
COMMAND_TIMEOUT_S = 300
BENCH_DIR = "/bench"  # where inside, and the tar it unpacks, are shown in a container
RINGS = "/sys/module/fuse/parameters/enable_uring"
CONTAINER = "bench"  # of the rows that are measured without --rm
COMMITTED = "localhost/bench-committed"


class Unavailable(Exception):
    """Why a peer cannot be measured here."""


class Place:
    """What all peers share: a directory, images, the programs' environment, the user they run as."""

    def __init__(self, directory, images, lyr, user):
        self.dir, self.images, self.lyr, self.user = directory, images, lyr, user
        self.loaded = ["busybox", "python"]  # images that peers have loaded when rows are run
        self.made = {}  # archives of images that are made for this run, by name
        self.cgroup = os.path.basename(directory)
        self.shown = os.path.join(directory, "shown")
        self.env = dict(os.environ)
        if user:
            home = os.path.join(directory, "home")
            self.env = {"PATH": os.environ["PATH"], "HOME": home, "USER": user.pw_name,
                        "XDG_RUNTIME_DIR": f"/run/user/{user.pw_uid}"}

    def tar(self, image):
        return self.made.get(image) or os.path.join(self.images, image + ".tar")

    def manifest(self, image):
        with tarfile.open(self.tar(image)) as tar:
            return json.load(tar.extractfile("manifest.json"))[0]

    def tag(self, image):
        return self.manifest(image)["RepoTags"][0]

    def popen(self, argv, env=None, as_root=False, **pipes):
        who = {}
        if self.user and not as_root:
            who = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}
        return subprocess.Popen(argv, env={**self.env, **(env or {})}, cwd=self.dir,
                                stdin=subprocess.DEVNULL, **pipes, **who)

    def run(self, argv, env=None, as_root=False):
        """Output of a program that must succeed; its last words are the error's."""
        process = self.popen(argv, env, as_root, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            out, err = process.communicate(timeout=COMMAND_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise Unavailable(f"{argv[0]}: no end in {COMMAND_TIMEOUT_S} s") from None
        if process.returncode != 0:
            said = (err.decode(errors="replace").strip() or "it said nothing").splitlines()
            raise Unavailable(f"{os.path.basename(argv[0])}: {said[-1]}")
        return out.decode()


class Peer:
    name = ""
    programs = ()  # what must be in PATH
    rootless = False
    about = ""

    def __init__(self, place):
        self.place = place
        self.dir = os.path.join(place.dir, self.name)

    def check(self):
        """Raises Unavailable before anything is started."""
        if self.place.user and not self.rootless:
            raise Unavailable("needs root")
        for program in self.programs:
            if not shutil.which(program):
                raise Unavailable(f"{program} is not installed (tools/deps --peers)")

    def make_dir(self):
        os.makedirs(self.dir)
        if self.place.user:
            os.chown(self.dir, self.place.user.pw_uid, self.place.user.pw_gid)

    def setup(self):
        self.make_dir()

    def version(self):
        return self.place.run([self.programs[0], "--version"]).splitlines()[0]

    # Rows: each gives the argv to be timed, or for `inside` the argv whose output has the times.
    # Preparations before it and after it are not timed.
    def load_argv(self, tar):
        return None

    def import_argv(self, archive):
        return self.load_argv(archive.path)

    def empty_store(self):
        pass

    def start_argv(self):
        return None

    def mount_argv(self, lowers, target):
        """lowers: directories beneath place.dir, as in lowerdir="""
        return None

    def inside_argv(self, image, work, is_kept):
        """is_kept: in a container that is not to be gone when it ends, but at inside_done"""
        return None

    def inside_done(self, image, is_kept):
        pass

    def make_change(self, image, file):
        """Has a container change one file of the image; the rows diff and commit are of it."""

    def diff_argv(self):
        return None

    def commit_argv(self):
        return None

    def drop_change(self, image):
        """Removes the container and what it was committed to."""

    def env(self):
        return {}

    def run(self, argv):
        return self.place.run(argv, self.env())

    def close(self):
        pass


class Engine(Peer):
    """A program with docker's command line."""
    rootless = True
    run_flags = ()

    def command(self):
        """argv up to the subcommand"""
        raise NotImplementedError

    def load_argv(self, tar):
        return [*self.command(), "load", "-i", tar]

    def run_argv(self, image, *flags, ends=("--rm",)):
        return [*self.command(), "run", *ends, "--network", "none", *self.run_flags, *flags,
                self.place.tag(image)]

    def start_argv(self):
        return [*self.run_argv("busybox"), "true"]

    def inside_argv(self, image, work, is_kept):
        ends = ("--name", CONTAINER) if is_kept else ("--rm",)
        flags = ["-v", f"{self.place.shown}:{BENCH_DIR}:ro", "--entrypoint", f"{BENCH_DIR}/inside"]
        return [*self.run_argv(image, *flags, ends=ends), *work]

    def inside_done(self, image, is_kept):
        if is_kept:
            self.run([*self.command(), "rm", "-f", CONTAINER])

    def make_change(self, image, file):
        try:
            self.run(self.inside_argv(image, ["byte", file], is_kept=True))
        except Unavailable:
            self.drop_change(image)
            raise

    def diff_argv(self):
        return [*self.command(), "diff", CONTAINER]

    def commit_argv(self):
        return [*self.command(), "commit", CONTAINER, COMMITTED]

    def drop_change(self, image):
        self.inside_done(image, is_kept=True)
        if COMMITTED in self.run([*self.command(), "images", "--format", "{{.Repository}}"]):
            self.run([*self.command(), "rmi", "-f", COMMITTED])


class Lyr(Engine):
    name = "lyr"
    about = "overlayfs over the image, user namespace, seccomp"

    def env(self):
        return {"LYR_ROOT": f"{self.dir}/root", "LYR_RUN_ROOT": f"{self.dir}/run"}

    def command(self):
        return [self.place.lyr]

    def version(self):
        return self.place.run([self.place.lyr, "--version"]).strip()

    def mount_argv(self, lowers, target):
        if self.place.user:
            return None
        return [self.place.lyr, "mount", "-o", f"lowerdir={lowers}", target]

    def empty_store(self):
        for part in ("root", "run"):
            shutil.rmtree(f"{self.dir}/{part}", ignore_errors=True)


class LyrFuse(Lyr):
    name = "lyr-fuse"
    about = "its union alone, by FUSE"
    run_flags = ("--union", "fuse")
    mount_argv = Peer.mount_argv  # mounts and loads as lyr does: its column stays empty there
    load_argv = Peer.load_argv
    import_argv = Peer.import_argv
    empty_store = Peer.empty_store

    def setup(self):
        self.make_dir()
        for image in self.place.loaded:
            self.run([*self.command(), "load", "-q", "-i", self.place.tar(image)])


class LyrPassthrough(LyrFuse):
    name = "lyr-passthrough"
    about = "its union alone, and the kernel reads and writes changed files itself"
    run_flags = ("--union", "passthrough")
    rootless = False


class LyrIoUring(LyrFuse):
    name = "lyr-io_uring"
    about = "its union alone, by FUSE over io_uring"
    run_flags = ("--union", "io_uring")

    def check(self):
        super().check()
        with open(RINGS, encoding="ascii") as switch:
            if switch.read(1) != "Y":
                raise Unavailable(f"allow it first: echo Y >{RINGS}")


class Docker(Engine):
    name = "docker"
    programs = ("dockerd", "docker", "containerd", "runc")
    rootless = False
    about = "overlay2, its daemon already running"
    daemon = None

    def env(self):
        return {"DOCKER_HOST": f"unix://{self.dir}/socket"}

    def command(self):
        return ["docker"]

    def setup(self):
        self.make_dir()
        argv = ["dockerd", "--data-root", f"{self.dir}/root", "--exec-root", f"{self.dir}/exec",
                "--pidfile", f"{self.dir}/pid", "-H", f"unix://{self.dir}/socket",
                "--storage-driver", "overlay2", "--cgroup-parent", f"/{self.place.cgroup}",
                "--bridge", "none", "--iptables=false", "--ip6tables=false", "--ip-masq=false"]
        with open(f"{self.dir}/log", "wb") as log:
            self.daemon = self.place.popen(argv, stdout=log, stderr=log)
        deadline = time.monotonic() + DAEMON_TIMEOUT_S
        while True:
            try:
                self.run(["docker", "info"])
                return
            except Unavailable:
                if self.daemon.poll() is not None or time.monotonic() > deadline:
                    with open(f"{self.dir}/log", encoding="utf-8", errors="replace") as log:
                        last = (log.read().strip() or "no word in its log").splitlines()[-1]
                    raise Unavailable(f"dockerd: {last}") from None
                time.sleep(0.1)

    def version(self):
        return "docker " + self.run(
            ["docker", "version", "-f", "{{.Server.Version}} (client {{.Client.Version}})"]).strip()

    def empty_store(self):
        images = self.run(["docker", "images", "-q"]).split()
        if images:
            self.run(["docker", "rmi", "-f", *sorted(set(images))])

    def close(self):
        if self.daemon:
            self.daemon.terminate()
            self.daemon.wait()


class Podman(Engine):
    name = "podman"
    programs = ("podman", "conmon")
    about = "kernel overlayfs"
    storage = ()
    mount = "overlay"
    # Limits that any user may set: podman asks for more than a confined root has.
    run_flags = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")

    def command(self):
        return ["podman", "--root", f"{self.dir}/root", "--runroot", f"{self.dir}/run",
                "--tmpdir", f"{self.dir}/tmp", "--cgroup-manager", "cgroupfs",
                "--storage-driver", "overlay", *self.storage, "--runtime", self.runtime]

    def setup(self):
        self.make_dir()
        self.runtime = next(filter(shutil.which, ("crun", "runc")), None)
        if not self.runtime:
            raise Unavailable("neither crun nor runc is installed (tools/deps --peers)")
        if not self.place.user:
            self.run_flags = (*self.run_flags, "--cgroup-parent", f"/{self.place.cgroup}")
        self.run(self.load_argv(self.place.tar("busybox")))
        mounts = self.run([*self.run_argv("busybox"), "cat", "/proc/mounts"]).splitlines()
        root = next(line.split()[2] for line in mounts if line.split()[1] == "/")
        if root != self.mount:
            raise Unavailable(f"its root is on {root}, not on {self.mount}")
        self.empty_store()

    def version(self):
        return super().version() + f" with {self.runtime}"

    def empty_store(self):
        self.run([*self.command(), "rmi", "-a", "-f"])


class PodmanFuse(Podman):
    name = "podman-fuse"
    programs = ("podman", "conmon", "fuse-overlayfs")
    about = "fuse-overlayfs"
    mount = "fuse.fuse-overlayfs"

    @property
    def storage(self):
        return ("--storage-opt", f"overlay.mount_program={shutil.which('fuse-overlayfs')}")

    def mount_argv(self, lowers, target):
        return None if self.place.user else ["fuse-overlayfs", "-o", f"lowerdir={lowers}", target]

    def version(self):
        said = self.place.run(["fuse-overlayfs", "--version"]).splitlines()
        return next(line for line in said if line.startswith("fuse-overlayfs"))
