# SPDX-License-Identifier: Apache-2.0
# lsattr and chattr: in a container over overlayfs, which has none that protect a file; and on a
# mount of root's, which has those, too.
load python
cat >flags.py <<'END'
import errno, fcntl, struct, sys
GET, SET, IMMUTABLE, NODUMP = 0x80086601, 0x40086602, 0x10, 0x40
def flags(path):
    with open(path) as file: return struct.unpack('I', fcntl.ioctl(file, GET, bytes(4)))[0]
def add(path, more):
    with open(path) as file: fcntl.ioctl(file, SET, struct.pack('I', flags(path) | more))
open('/new', 'w').close()
add('/etc/passwd', NODUMP)
print(flags('/etc/passwd') == flags('/new') | NODUMP)  # nothing else of a file is lost
try:
    add('/etc/passwd', IMMUTABLE)
except OSError as error:
    print(errno.errorcode[error.errno])
END
prints $'True\nEPERM' lyr run --rm --union hybrid -v "$PWD/flags.py:/flags.py" python /flags.py
[ "$LYR_MODE" = root ] || exit 0

mkdir -p base/d up work merged
echo base >base/f
for how in file_flags passthrough,file_flags; do
  lyr mount -o lowerdir=base,upperdir=up,workdir=work,$how merged
  chattr +i merged/f
  chattr +a merged/d
  matches "$(lsattr merged/f)" '^-*i-* *'
  code 1 rm -f merged/f
  has "$err" "not permitted"
  touch merged/d/new
  code 1 rm -f merged/d/new
  chattr -i merged/f
  chattr -a merged/d
  rm merged/f merged/d/new
  lyr umount merged
  rm -r up work
  mkdir up work
done
lyr mount -o lowerdir=base,upperdir=up,workdir=work merged
code 1 chattr +i merged/f
has "$err" "not supported"
lyr umount merged
code 1 lyr mount -o lowerdir=base,passthrough merged
has "$err" "passthrough cannot be had: there is no upperdir"
