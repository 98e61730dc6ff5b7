# SPDX-License-Identifier: Apache-2.0
# create, start, stop, start again: the file system stays as it was until rm.
load busybox
id=$(lyr create --name life busybox sh -c 'echo x >>/count; wc -l </count')
matches "$id" '^[0-9a-f]{64}$'
is_status life created || fail "not created: $(status_of life)"
prints "" lyr ps -q
prints 1 lyr start -a life
prints 2 lyr start -a life
prints 3 lyr start -a "${id:0:6}"
is_status life exited || fail "not exited: $(status_of life)"
has "$(lyr ps -a)" "Exited (0)"
prints life lyr rm life
code 1 lyr start life
matches "$err" "[Nn]o such container"
find "$LYR_ROOT" "$LYR_RUN_ROOT" -name "*$id*" | { ! grep .; } || fail "files left after rm"

code 0 lyr rm -f life
same "$out" ""
has "$err" "No such container: life"

lyr run -d --name busy busybox sleep 1000 >/dev/null
has "$(lyr ps)" busy
code 1 lyr rm busy
has "$err" running
code 125 lyr run --name busy busybox true
has "$err" busy
lyr create --name busybody busybox >/dev/null
prints busy lyr ps -a --filter 'name=^/?busy$' --format '{{.Names}}'
prints "busybody busy" eval "lyr ps -a --filter name=bus --format '{{.Names}}' | xargs"
code 1 lyr ps --filter status=sleeping
has "$err" exited
prints busy lyr rm -f busy
