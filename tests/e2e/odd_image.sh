# SPDX-License-Identifier: Apache-2.0
# What only some tools write into layers is taken as Linux has it: links of mode 0644, names with
# spaces and newlines or in no encoding, long names and targets, absolute hard links, old times.
python3 -B - "$here" >odd.tar <<'MAKE'
import sys, tarfile
sys.path.insert(0, sys.argv[1])
from damage import entry, saved_image, tar_of
link = {"type": tarfile.SYMTYPE, "mode": 0o644}
layer = tar_of(
    entry("link", linkname="target", **link), entry("far", linkname="x" * 4000, **link),
    entry("sp ace\nline", b"1"), entry("\udcff", b"2"), entry("n" * 255, b"3"),
    entry("./a//b", b"4"), entry("/hard", type=tarfile.LNKTYPE, linkname="/a/b"),
    entry("old", b"5", mtime=-100), entry("set", b"6", mode=0o6755))
sys.stdout.buffer.write(saved_image(layer))
MAKE
lyr load -i odd.tar >/dev/null
lyr create --name o bad x >/dev/null
lyr cp o:/. - >out.tar
python3 - out.tar <<'CHECK'
import sys, tarfile
members = {one.name.removeprefix("./"): one for one in tarfile.open(sys.argv[1])}
assert members["link"].issym() and members["link"].mode == 0o777, oct(members["link"].mode)
assert members["far"].linkname == "x" * 4000
for name in ("sp ace\nline", "\udcff", "n" * 255):
    assert members[name].size == 1, name
assert {members["a/b"].islnk(), members["hard"].islnk()} == {True, False}
assert members["old"].mtime == -100 and members["set"].mode == 0o6755
CHECK
