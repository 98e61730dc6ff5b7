# SPDX-License-Identifier: Apache-2.0
# A user without subordinate ids: the container has one id, owners are kept as they are set to be,
# and programs that change owners go on. Only in the mode that has one id.
load debian
prints 0 lyr run --rm debian id -u
prints "0 1" eval "lyr run --rm debian awk '{ print \$1, \$3 }' /proc/self/uid_map"
code 0 lyr run --rm debian sh -c 'touch /f && chown 33:33 /f'
code 0 lyr run --rm debian sh -c 'install -o daemon -g daemon -d /srv/d'
code 0 lyr info
has "$out" subuid
# What is made of it keeps the owners that the image has, however little the container knows them.
facts=$(lyr info)
for mode in hybrid fuse; do
  ! grep -q "Other union modes.*$mode (not:" <<<"$facts" || continue
  lyr run --name c --union $mode debian sh -c 'echo more >>/etc/shadow; chmod 700 /var/mail
    touch /new; mv /etc/gshadow /etc/gshadow.old; cp -p /etc/gshadow.old /etc/gshadow'
  lyr commit c made >/dev/null
  lyr save -o saved.tar made
  python3 - >owners <<'READ'
import json, tarfile
with tarfile.open("saved.tar") as saved:
    manifest = json.load(saved.extractfile("manifest.json"))
    with tarfile.open(fileobj=saved.extractfile(manifest[0]["Layers"][-1])) as layer:
        for member in layer:
            print(member.name, member.uid, member.gid)
READ
  for line in 'etc/shadow 0 42' 'etc/gshadow 0 42' 'var/mail 0 8' 'new 0 0'; do
    grep -qxF "$line" owners || fail "$mode: no '$line' in: $(cat owners)"
  done
  lyr rm c >/dev/null
done
