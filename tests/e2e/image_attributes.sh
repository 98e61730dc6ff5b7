# SPDX-License-Identifier: Apache-2.0
# Extended attributes of an image. A program that has file capabilities gives them to an ordinary
# user of the container, also after it was copied up, until it is written to. A volume that is
# filled from the image has what a container would see there, none of overlayfs's words.
load busybox
cat >layer.py <<'MAKE'
# /opt/busybox, which may change owners and bind low ports, and a directory with words of
# overlayfs's, those of a nested one escaped.
import io, struct, sys, tarfile
with tarfile.open(fileobj=sys.stdout.buffer, mode="w|", format=tarfile.PAX_FORMAT) as tar:
    entry = tarfile.TarInfo("opt/busybox")
    program = open(sys.argv[1], "rb").read()
    entry.mode, entry.size = 0o755, len(program)
    capability = struct.pack("<5I", 0x02000001, 1 << 0 | 1 << 10, 0, 0, 0)
    entry.pax_headers = {"SCHILY.xattr.security.capability": capability.decode()}
    tar.addfile(entry, io.BytesIO(program))
    entry = tarfile.TarInfo("data/marked")
    entry.type, entry.mode = tarfile.DIRTYPE, 0o755
    entry.pax_headers = {"SCHILY.xattr.user." + name: "y" for name in
                         ("color", "overlay.opaque", "overlay.overlay.redirect")}
    tar.addfile(entry)
MAKE
lyr run --rm busybox cat /bin/busybox >program
python3 layer.py program |
  python3 -B "$here/add_layer.py" "$images/busybox.tar" capped.tar lyr.test/capped:latest
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
