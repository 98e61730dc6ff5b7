# SPDX-License-Identifier: Apache-2.0
# Extended attributes of an image. A program that has file capabilities gives them to an ordinary
# user of the container, also after it was copied up, until it is written to. A volume that is
# filled from the image has what a container would see there, none of overlayfs's words.
load busybox
python3 - "$images/busybox.tar" capped.tar <<'MAKE'
# The same image with one more layer: /opt/busybox, which may change owners and bind low ports, and
# a directory with words of overlayfs's, those of a nested one escaped.
import hashlib, io, json, struct, sys, tarfile
source, target = sys.argv[1:]
with tarfile.open(source) as tar:
    files = {entry.name: tar.extractfile(entry).read() for entry in tar if entry.isfile()}
manifest = json.loads(files["manifest.json"])[0]
with tarfile.open(fileobj=io.BytesIO(files[manifest["Layers"][0]])) as below:
    busybox = below.extractfile(next(e for e in below if e.isfile() and e.name.endswith("busybox")))
    program = busybox.read()
layer = io.BytesIO()
with tarfile.open(fileobj=layer, mode="w", format=tarfile.PAX_FORMAT) as tar:
    entry = tarfile.TarInfo("opt/busybox")
    entry.mode, entry.size = 0o755, len(program)
    capability = struct.pack("<5I", 0x02000001, 1 << 0 | 1 << 10, 0, 0, 0)
    entry.pax_headers = {"SCHILY.xattr.security.capability": capability.decode()}
    tar.addfile(entry, io.BytesIO(program))
    entry = tarfile.TarInfo("data/marked")
    entry.type, entry.mode = tarfile.DIRTYPE, 0o755
    entry.pax_headers = {"SCHILY.xattr.user." + name: "y" for name in
                         ("color", "overlay.opaque", "overlay.overlay.redirect")}
    tar.addfile(entry)
config = json.loads(files[manifest["Config"]])
config["rootfs"]["diff_ids"].append("sha256:" + hashlib.sha256(layer.getvalue()).hexdigest())
files.update({"capped.tar": layer.getvalue(), "config.json": json.dumps(config).encode()})
manifest.update(Config="config.json", Layers=[*manifest["Layers"], "capped.tar"],
                RepoTags=["lyr.test/capped:latest"])
files["manifest.json"] = json.dumps([manifest]).encode()
with tarfile.open(target, "w") as tar:
    for name, data in files.items():
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        tar.addfile(entry, io.BytesIO(data))
MAKE
lyr load -q -i capped.tar >/dev/null
show="/opt/busybox grep CapEff: /proc/self/status"
capped=$'CapEff:\t0000000000000401'
prints "$capped" lyr run --rm -u 7:7 lyr.test/capped $show
none=$'CapEff:\t0000000000000000'
prints "$none" lyr run --rm -u 7:7 lyr.test/capped grep CapEff: /proc/self/status
lyr run -d --name up lyr.test/capped sleep 1000 >/dev/null
lyr exec up chmod 711 /opt/busybox
prints "$capped" lyr exec -u 7:7 up $show
lyr exec up sh -c 'echo >>/opt/busybox'
prints "$none" lyr exec -u 7:7 up $show
lyr run --rm -v filled:/data lyr.test/capped true
prints "user.color user.overlay.redirect" python3 -c '
import os, sys
print(*sorted(name for name in os.listxattr(sys.argv[1]) if name.startswith("user.")))
' "$LYR_ROOT/volumes/filled/_data/marked"
