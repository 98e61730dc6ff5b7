# SPDX-License-Identifier: Apache-2.0
# dpkg's database, which lies in a lower layer, rewritten many times under load: the same bytes as
# the same work on a plain directory.
load debian
mkdir plain
lyr create --name source debian true >/dev/null
lyr cp source:/var/lib/dpkg - | tar x -C plain --no-same-owner
work='cd $1/var/lib; mkdir -p copies
for i in 1 2 3 4 5 6 7 8; do
  (for j in 1 2 3 4 5; do dd if=dpkg/status of=copies/$i bs=7k 2>/dev/null; done) &
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
mkdir -p plain/var/lib
mv plain/dpkg plain/var/lib/dpkg
lyr run --rm -v "$PWD/plain:/plain" debian bash -ec "$work" work /plain
lyr run --name union debian bash -ec "$work" work ""
sum='cd $1/var/lib && find dpkg copies -type f ! -name "*lock*" | sort | xargs sha256sum'
lyr start union >/dev/null 2>&1 || true
lyr wait union >/dev/null
lyr cp union:/var/lib - | tar x -C . --no-same-owner
same "$(cd lib && find dpkg copies -type f ! -name '*lock*' | sort | xargs sha256sum)" \
  "$(cd plain/var/lib && find dpkg copies -type f ! -name '*lock*' | sort | xargs sha256sum)"
