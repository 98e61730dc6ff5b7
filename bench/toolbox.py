# SPDX-License-Identifier: Apache-2.0
"""Rows of daily work: shell commands in the image `toolbox`, each timed after so many runs not timed.

They run in a container that is kept until all of them are done: with --rm lyr and podman would mount
it so that fsync does nothing, which kernel overlayfs under chroot cannot be told.
"""

IMAGE = "toolbox"

ROWS = [  # key, label, unit, what is done
    ("git1", "git status", "first", "of an image's repository; git reads all files for its index"),
    ("git", "git status", "again", "the same, the index being right"),
    ("g++1", "g++ -c", "first", "a file of <regex>, <iostream>, <map>, ..., in a fresh container"),
    ("g++", "g++ -c", "again", "the same, compiled before"),
    ("npm", "npm ci", "offline", "466 packages from a cache in the image"),
    ("apt", "apt-get", "install", "cmake, gdb, vim, python and what they need from local .debs"),
]

GIT = "git -C /srv/repository status --porcelain"
GXX = "g++ -O0 -c -o /tmp/headers.o /srv/headers.cpp"
COMMANDS = {  # runs that are not timed, command
    "git1": (0, GIT),
    "git": (2, GIT),
    "g++1": (0, GXX),
    "g++": (1, GXX),
    "npm": (0, "cd /srv/app && npm ci --offline --cache /srv/npm-cache --ignore-scripts --no-audit "
            "--no-fund --no-update-notifier --loglevel error"),
    "apt": (0, "DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "
            "/srv/debs/*.deb"),
}
KEYS = tuple(row[0] for row in ROWS)


def work(keys):
    """Arguments of `inside`."""
    return [word for key in keys
            for word in ("shell", key, str(COMMANDS[key][0]), COMMANDS[key][1])]
