# SPDX-License-Identifier: Apache-2.0
# logs gives back what was written, each stream on its own, from where and how it is asked for.
load busybox
lyr run -d --name l busybox sh -c 'for i in 1 2 3 4; do echo out $i; done; echo err >&2;
  while [ ! -e /go ]; do sleep 0.05; done; echo late; printf unfinished' >/dev/null
wait_for eval 'lyr logs l 2>&1 | grep -q err'
code 0 lyr logs l
same "$out" $'out 1\nout 2\nout 3\nout 4'
same "$err" err
same "$(lyr logs --tail -1 l 2>/dev/null | wc -l)" 4
prints "out 4" eval 'lyr logs --tail 2 l 2>/dev/null'
matches "$(lyr logs -t l 2>/dev/null | head -n 1)" '^20[0-9-]+T[0-9:.]+Z out 1$'
now=$(date -u +%Y-%m-%dT%H:%M:%S.%NZ)
prints "" eval 'lyr logs --tail 0 l 2>/dev/null'
lyr logs -f --tail 2 l >followed 2>/dev/null &
following=$!
wait_for grep -q "out 4" followed
touch_last l /go
wait $following
same "$(cat followed)" $'out 4\nlate\nunfinished'
prints $'late\nunfinished' lyr logs --since "$now" l
code 1 lyr logs missing
matches "$err" "[Nn]o such container"
