# SPDX-License-Identifier: Apache-2.0
# cp copies into and out of a container that runs or not, and never through its links.
load busybox
lyr create --name c busybox sleep 1000 >/dev/null
mkdir -p tree/sub
echo deep >tree/sub/file
ln -s /etc/passwd tree/link
for state in created running; do
  [ $state = created ] || lyr start c >/dev/null
  code 0 lyr cp tree c:/tmp/$state
  code 0 lyr cp c:/tmp/$state back-$state
  diff -r --no-dereference tree back-$state
  prints deep eval "lyr cp c:/tmp/$state/sub/file - | tar xO"
  tar c -C tree sub | lyr cp - c:/root
done
prints deep lyr exec c cat /root/sub/file
lyr exec c ln -s "$HOME" /tmp/outward
code 1 lyr cp tree/sub/file c:/tmp/outward/file
[ ! -e "$HOME/file" ] || fail "cp wrote outside the container"
code 1 lyr cp c:/no/such/file .
has "$err" /no/such/file
