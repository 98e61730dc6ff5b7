# SPDX-License-Identifier: Apache-2.0
# An archive may hold several images, and an image several names; each name is loaded.
python3 - "$images/busybox.tar" "$images/debian.tar" both.tar <<'MERGE'
import io, json, sys, tarfile
manifests, seen = [], set()
with tarfile.open(sys.argv[3], "w") as out:
    for number, path in enumerate(sys.argv[1:3]):
        with tarfile.open(path) as archive:
            for member in archive:
                if member.name == "manifest.json":
                    manifest = json.load(archive.extractfile(member))
                    manifest[0]["RepoTags"] = [f"many:{number}", f"more/name:{number}"]
                    manifests += manifest
                elif member.name not in seen and member.name != "repositories":
                    seen.add(member.name)
                    out.addfile(member, archive.extractfile(member) if member.isreg() else None)
    text = json.dumps(manifests).encode()
    entry = tarfile.TarInfo("manifest.json")
    entry.size = len(text)
    out.addfile(entry, io.BytesIO(text))
MERGE
code 0 lyr load -i both.tar
loaded=$out
for name in many:0 more/name:0 many:1 more/name:1; do
  has "$loaded" "$name"
  code 0 lyr inspect "$name"
done
same "$(lyr images -q | sort -u | wc -l)" 2
same "$(inspect many:0 '{{.Id}}')" "$(inspect more/name:0 '{{.Id}}')"
[ "$(inspect many:0 '{{.Id}}')" != "$(inspect many:1 '{{.Id}}')" ] || fail "two images, one id"
