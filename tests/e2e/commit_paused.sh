# SPDX-License-Identifier: Apache-2.0
# A container that runs stands still while it is committed, where it has a cgroup for that: its
# image is of one moment. It goes on afterwards, also when there is no space for that image.
export LYR_ROOT=$HOME/small/root
load busybox
lyr run -d --name c busybox sh -c 'dd if=/dev/urandom of=/large bs=1M count=14 2>/dev/null
  while :; do echo >>/first; echo >>/zlast; done' >/dev/null
wait_for lyr exec c test -s /zlast
id=$(inspect c '{{.Id}}')
freezer() { find /sys/fs/cgroup -path "*/lyr/$id/cgroup.freeze" 2>/dev/null | head -1; }
counter() { lyr exec c stat -c %s /first; }
goes_on() {
  local now
  now=$(counter)
  wait_for eval "[ \$(counter) -gt $now ]"
}
is_frozen() { [ "$(cat "$(freezer)")" = 1 ]; }
code 0 lyr commit c one
if [ -n "$(freezer)" ]; then
  same "$err" ""
  ahead=$(lyr run --rm one sh -c 'echo $(($(stat -c %s /first) - $(stat -c %s /zlast)))')
  ((ahead == 0 || ahead == 1)) || fail "written to meanwhile: $ahead"
else
  has "$err" "c is not paused meanwhile: it has no cgroup of its own"
fi
goes_on
code 0 lyr commit --pause=false c two
same "$err" ""
code 0 lyr commit --no-pause c two
goes_on
# What has been frozen by somebody else stays so; and who locks the file keeps no commit waiting.
if [ -n "$(freezer)" ]; then
  code 0 timeout 300 flock "$(freezer)" "$LYR" commit c locked
  same "$err" ""
  echo 1 >"$(freezer)"
  lyr commit c three >/dev/null
  is_frozen || fail "the commit let it go on"
  echo 0 >"$(freezer)"
fi
# No space.
kept=$(lyr images --format '{{.Repository}}' | sort | xargs)
lyr exec c dd if=/dev/urandom of=/larger bs=1M count=12 2>/dev/null
code 1 lyr commit c full
has "$err" "No space"
goes_on
# What could be no image is refused before that.
code 1 lyr commit -c 'EXPOSE 1-4097' c full
has "$err" "more than 4096 items"
prints "$kept" eval "lyr images --format '{{.Repository}}' | sort | xargs"
lyr exec c rm /larger
lyr commit c fits >/dev/null 2>&1
prints 14680064 lyr run --rm fits sh -c 'cat /large | wc -c'
