# SPDX-License-Identifier: Apache-2.0
# What of a file is a hole takes neither time nor room, here and in what other programs read.
load debian
lyr run --name c debian sh -c 'truncate -s 1T /srv/large
  echo in it | dd of=/srv/large bs=1M seek=500000 conv=notrunc status=none
  echo first >/srv/ends; truncate -s 900G /srv/ends; truncate -s 1G /srv/none; echo after >/srv/z'
lyr commit c holes >/dev/null
look='stat -c "%n %s" /srv/*; dd if=/srv/large bs=1M skip=500000 count=1 status=none | head -c 6
  head -c 5 /srv/ends'
prints "/srv/ends 966367641600 /srv/large 1099511627776 /srv/none 1073741824 /srv/z 6 in it first" \
  eval "lyr run --rm holes sh -c '$look' | xargs"
lyr save -o saved.tar holes
python3 - <<'READ'
import json, tarfile
with tarfile.open("saved.tar") as saved:
    manifest = json.load(saved.extractfile("manifest.json"))
    with tarfile.open(fileobj=saved.extractfile(manifest[0]["Layers"][-1])) as layer:
        sizes = {member.name: member.size for member in layer if member.isfile()}
        assert sizes == {"srv/large": 1 << 40, "srv/ends": 900 << 30, "srv/none": 1 << 30,
                         "srv/z": 6}, sizes
        large = layer.extractfile("srv/large")
        large.seek(500000 << 20)
        assert large.read(8) == b"in it\n\0\0"
        assert layer.extractfile("srv/ends").read(8) == b"first\n\0\0"
        assert layer.extractfile("srv/z").read() == b"after\n"
READ
lyr rm c >/dev/null
