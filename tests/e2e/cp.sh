# SPDX-License-Identifier: Apache-2.0
# Files in and out of a container, whether it runs or not, by docker cp's rules; nothing in the
# container can lead a copy to the host.
load debian
lyr create --name c debian sleep inf >/dev/null
mkdir -p site/deep
echo page >site/index
echo below >site/deep/file
ln -s index site/link
ln site/index site/hard
chmod 750 site/deep
round() {  # the same twice: the container stands still, then runs
  rm -rf out
  mkdir out
  lyr cp site c:/srv
  lyr cp site/. c:/opt
  lyr cp site/index c:/root/named
  lyr cp c:/srv/site out
  diff -r site out/site
  same "$(readlink out/site/link)" index
  same "$(stat -c %a out/site/deep)" 750
  same "$(stat -c %h out/site/index)" 2
  same "$(stat -c %Y out/site/index)" "$(stat -c %Y site/index)"
  same "$(stat -c %u out/site/index)" "$(id -u)"
  lyr cp c:/opt/deep/file out/renamed
  same "$(cat out/renamed)" below
  prints page eval "lyr cp c:/root/named - | tar xO"
  prints "srv/ srv/site/ srv/site/deep/ srv/site/deep/file srv/site/hard srv/site/index" eval \
    'lyr cp c:/srv - | tar t | grep -v link | xargs'
  tar c site | lyr cp - c:/media
  lyr cp c:/media/site/deep/. out/contents
  same "$(cat out/contents/file)" below
  code 1 lyr cp c:/nowhere out
  has "$err" /nowhere
  code 1 lyr cp nowhere c:/srv
  has "$err" nowhere
  code 1 lyr cp site c:/root/named
  code 1 lyr cp site other:/srv
  has "$err" other
}
round
lyr start c >/dev/null
round
same "$(lyr exec c stat -c '%u:%g' /srv/site/index)" 0:0
# A link of the container's is resolved in the container.
lyr exec c sh -c 'ln -s /etc /srv/away; ln -s ../../../../../../../ /srv/up'
echo outside >passwd
lyr cp passwd c:/srv/away/made
prints outside lyr exec c cat /etc/made
lyr cp passwd c:/srv/up/top
prints outside lyr exec c cat /top
# A setuid program does not become one of whoever copies it.
lyr exec c sh -c 'cp /bin/true /srv/suid; chmod 4755 /srv/suid'
lyr cp c:/srv/suid out/suid
same "$(stat -c %a out/suid)" 755
# All of it: what /proc, /sys and /dev show is no file of the container's.
lyr cp c:/. all
[ -d all/proc ] && [ -e all/etc/passwd ] || fail "not all of it: $(ls all)"
same "$(ls all/proc all/sys all/dev | xargs)" "all/dev: all/proc: all/sys:"
lyr stop -t 0 c >/dev/null
prints outside eval "lyr cp c:/top - | tar xO"
