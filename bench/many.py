# SPDX-License-Identifier: Apache-2.0
"""An image of 80,000 small files, of which a container changes one."""

import os

import imports

IMAGE = "many"
DIRECTORIES, FILES = 800, 100  # in each directory
FILE = "/many/400/50"


def make(place):
    path = os.path.join(place.dir, IMAGE + ".tar")
    layer = path + ".layer"
    imports.write_tar(layer, {f"many/{directory}/{number}": f"{directory} {number}".encode() * 10
                              for directory in range(DIRECTORIES) for number in range(FILES)})
    with open(layer, "rb") as file:
        data = file.read()
    os.unlink(layer)
    imports.write_archive(path, "plain", data, imports.config_of(data), "localhost/many:latest")
    place.made[IMAGE] = path
