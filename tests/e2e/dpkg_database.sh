# SPDX-License-Identifier: Apache-2.0
# dpkg's database, which lies in a lower layer, rewritten many times under load: the same bytes as
# the same work on a plain directory.
load debian
mkdir plain
work='cd $1/var/lib; mkdir -p copies
for i in 1 2 3 4 5 6 7 8; do
  (for j in 1 2 3 4 5; do dd if=/bin/bash of=copies/$i bs=7k 2>/dev/null; done) &
done
for package in bash tar sed grep gzip; do
  for i in 1 2 3 4 5 6; do
    dpkg --admindir=$PWD/dpkg --force-all --set-selections <<<"$package hold"
    dpkg --admindir=$PWD/dpkg --force-all --set-selections <<<"$package install"
  done
  dpkg --admindir=$PWD/dpkg --set-selections <<<"$package deinstall"
done
wait
sed -i s/^Version:/Version:/ dpkg/status
echo tail >>dpkg/available'
lyr run --rm -v "$PWD/plain:/plain" debian sh -c 'mkdir -p /plain/var/lib &&
  cp -a /var/lib/dpkg /plain/var/lib/'
sums='cd $1/var/lib; find dpkg copies -type f ! -name "*lock*" | sort | xargs sha256sum'
lyr run --rm -v "$PWD/plain:/plain" debian bash -ec "$work" work /plain
# Started again, the container looks at what it wrote before.
lyr run --name union debian bash -ec "if [ -e /done ]; then $sums; else $work; >/done; fi" _ ""
union=$(lyr start -a union)
same "$union" "$(lyr run --rm -v "$PWD/plain:/plain" debian bash -ec "$sums" sums /plain)"
has "$union" dpkg/status
