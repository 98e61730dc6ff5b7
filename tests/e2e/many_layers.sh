# SPDX-License-Identifier: Apache-2.0
# An image of 120 layers, each of which replaces, adds and removes, is one file system.
python3 -B "$here/large.py" "$images/busybox.tar" many layers 120 >many.tar
lyr load -q -i many.tar >/dev/null
same "$(inspect many '{{len .RootFS.Layers}}')" 121
prints "119 119 600" lyr run --rm many sh -c \
  'echo $(cat /layers/last) $(ls /layers/gone) $(cat /layers/[0-9]*/* | wc -l)'
