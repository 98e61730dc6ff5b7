# SPDX-License-Identifier: Apache-2.0
# add_layer.py SOURCE TARGET NAME: the image of a docker archive with one more layer, a tar archive
# that is read from standard input, under another name.
import hashlib
import io
import json
import sys
import tarfile

source, target, name = sys.argv[1:]
layer = sys.stdin.buffer.read()
with tarfile.open(source) as tar:
    files = {entry.name: tar.extractfile(entry).read() for entry in tar if entry.isfile()}
manifest = json.loads(files["manifest.json"])[0]
config = json.loads(files[manifest["Config"]])
config["rootfs"]["diff_ids"].append("sha256:" + hashlib.sha256(layer).hexdigest())
manifest.update(Config="config.json", Layers=[*manifest["Layers"], "further.tar"], RepoTags=[name])
files.update({"further.tar": layer, "config.json": json.dumps(config).encode(),
              "manifest.json": json.dumps([manifest]).encode()})
with tarfile.open(target, "w") as tar:
    for path, data in files.items():
        entry = tarfile.TarInfo(path)
        entry.size = len(data)
        tar.addfile(entry, io.BytesIO(data))
