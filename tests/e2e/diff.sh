# SPDX-License-Identifier: Apache-2.0
# diff lists what the container added, changed and deleted, and nothing else.
load debian
lyr run --name d debian true
# An image without /etc/hosts is given a place for one; that is no change of the container's.
prints "" lyr diff d
lyr rm d >/dev/null
lyr run --name d -v data:/made/for/it --tmpfs /scratch debian touch /made/beside
prints "A /made A /made/beside" eval 'lyr diff d | xargs'
lyr rm d >/dev/null
# But whoever changes the mode or owner of a directory that such a place is in has changed it.
lyr run --name d -v data:/made/for/it -v data:/owned/it -v data:/not/it debian sh -c \
  'chmod 700 /etc; chmod 1777 /made/for; [ $0 = single ] || chown 0:7 /owned' "$LYR_MODE"
want="C /etc A /made A /made/for"
[ "$LYR_MODE" = single ] || want+=" A /owned"
prints "$want" eval 'lyr diff d | xargs'
lyr rm d >/dev/null
lyr run --name d debian sh -c 'echo new >/root/new; echo more >>/etc/issue; rm /etc/debian_version
  rm -r /usr/share/doc/bash; mkdir /usr/share/doc/bash; touch /usr/share/doc/bash/again
  mv /usr/share/doc/tar /usr/share/doc/moved; mv /usr/share/doc/gzip /srv'
code 0 lyr diff d
for line in 'A /root/new' 'C /etc/issue' 'D /etc/debian_version' 'C /etc' 'C /root' \
  'A /usr/share/doc/bash/again' 'D /usr/share/doc/bash/copyright' 'D /usr/share/doc/tar' \
  'A /usr/share/doc/moved' 'A /usr/share/doc/moved/copyright' 'A /srv/gzip/copyright'; do
  grep -qxF "$line" <<<"$out" || fail "no '$line' in: $out"
done
lacks "$out" "/bin/"
lyr start d && lyr wait d >/dev/null
