# SPDX-License-Identifier: Apache-2.0
"""An image of one large file, which a container reads, or of which it changes a byte. The container
is kept until it is done, as in toolbox.py."""

import os

import imports

IMAGE = "large"
BYTES = 256 << 20  # inside.c knows them, too


def make(place):
    path = os.path.join(place.dir, IMAGE + ".tar")
    layer = path + ".layer"
    imports.write_tar(layer, {"large": os.urandom(BYTES)})
    with open(layer, "rb") as file:
        data = file.read()
    os.unlink(layer)
    imports.write_archive(path, "plain", data, imports.config_of(data), "localhost/large:latest")
    place.made[IMAGE] = path
