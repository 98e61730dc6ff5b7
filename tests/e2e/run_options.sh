# SPDX-License-Identifier: Apache-2.0
# The image's defaults hold, and each option overrides its own.
load busybox
run() { lyr run --rm "$@"; }
prints busybox run busybox sh -c 'echo $LYR_TEST'
prints "a b" run -e LYR_TEST="a b" busybox sh -c 'echo $LYR_TEST'
OUTER=mine prints mine run -e OUTER busybox sh -c 'echo $OUTER'
printf '# comment\nONE=1\n\nTWO=two words\n' >env
prints "1 two words 3" run --env-file env -e THREE=3 busybox sh -c 'echo $ONE $TWO $THREE'
prints / run busybox pwd
prints /new/dir run -w /new/dir busybox pwd
prints "uid=0(root) gid=0(root)" eval 'run busybox id | sed "s/ groups.*//"'
prints box run --hostname box busybox hostname
prints "entry one" run --entrypoint echo busybox entry one
prints "-c" run --entrypoint echo busybox -c
lyr create --name labelled -l colour=blue --label bare busybox >/dev/null
prints blue lyr inspect -f '{{.Config.Labels.colour}}' labelled
prints labelled lyr ps -a --filter label=colour=blue --format '{{.Names}}'
id=$(lyr run -d --cidfile cid busybox true)
same "$(cat cid)" "$id"
matches "$id" '^[0-9a-f]{64}$'
before=$(lyr ps -aq)
code 125 lyr run --cidfile cid busybox true
has "$err" cid
same "$(lyr ps -aq)" "$before"
same "$(cat cid)" "$id"
code 125 lyr run --cidfile none no-such-image true
[ ! -e none ] || fail "an image that is not there left a cidfile"

prints /b run -w /a/../b busybox pwd
code 127 run busybox ""
# With the host's network its name too, which its own hosts file knows.
prints "$(uname -n)" run --network host busybox hostname
code 1 run --read-only busybox sh -c 'echo >>/etc/hosts'
has "$err" "Read-only"
code 125 run -v /etc/passwd:/bin:ro busybox true
has "$err" "a file cannot be mounted on a directory"
code 125 run -v /etc:/bin/busybox:ro busybox true
has "$err" "a directory cannot be mounted on a file"
