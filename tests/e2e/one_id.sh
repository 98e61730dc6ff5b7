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
