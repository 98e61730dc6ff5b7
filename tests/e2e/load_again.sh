# SPDX-License-Identifier: Apache-2.0
# An image that is here is not read again, as with docker load: what its archive says of the layers
# is enough, and the store is not written to.
code 0 lyr load -i "$images/busybox.tar"
before=$(kept)
strace -f -e trace=read,pread64 -o calls "$LYR" load -i "$images/busybox.tar" >/dev/null
python3 - <<'COUNT'
import re
ends = (re.search(r"= (\d+)$", line) for line in open("calls"))
total = sum(int(end[1]) for end in ends if end)
assert total < 1_000_000, f"{total} bytes were read"
COUNT
same "$(kept)" "$before"
# So one whose layer is damaged does no harm to what is here, and brings nothing in where it is not.
python3 - "$images/busybox.tar" <<'DAMAGE'
import sys, tarfile
data = bytearray(open(sys.argv[1], "rb").read())
layer = max(tarfile.open(sys.argv[1]), key=lambda member: member.size)
data[layer.offset_data + layer.size // 2] ^= 1
open("damaged.tar", "wb").write(data)
DAMAGE
code 0 lyr load -i damaged.tar
same "$(kept)" "$before"
prints works lyr run --rm lyr.test/busybox echo works
lyr rmi lyr.test/busybox >/dev/null
code 1 lyr load -i damaged.tar
has "$err" damaged
prints "" lyr images -q
