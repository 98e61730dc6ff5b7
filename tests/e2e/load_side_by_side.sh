# SPDX-License-Identifier: Apache-2.0
# The layers of one image are loaded side by side, and what fails is always the first that is wrong.
python3 - "$images/python.tar" <<'DAMAGE'
import io, json, sys, tarfile
with tarfile.open(sys.argv[1]) as archive:
    layers = json.load(archive.extractfile("manifest.json"))[0]["Layers"]
    for name, damaged in (("last", layers[-1:]), ("all", layers)):
        with tarfile.open(f"{name}.tar", "w") as out:
            for member in archive:
                data = bytearray(archive.extractfile(member).read() if member.isreg() else b"")
                if member.name in damaged:
                    data[len(data) // 2] ^= 1
                out.addfile(member, io.BytesIO(data))
with open("layers", "w") as names:
    print(*layers, sep="\n", file=names)
DAMAGE
first=$(sed -n 1p layers) last=$(tail -n 1 layers)
[ "$first" != "$last" ] || fail "python has one layer only"
for _ in 1 2 3; do
  code 1 lyr load -i all.tar
  has "$err" "$first"
  lacks "$err" "$last"
  code 1 lyr load -i last.tar
  has "$err" "$last"
done
same "$(lyr images -q)" ""
load python
prints works lyr run --rm python -c 'print("works")'
