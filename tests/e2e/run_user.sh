# SPDX-License-Identifier: Apache-2.0
# -u takes a name, a number and a group; HOME follows. With one id only, 0 is all there is: that is
# said.
load busybox
prints "0 0" lyr run --rm -u root busybox sh -c 'echo $(id -u) $(id -g)'
prints /root lyr run --rm busybox sh -c 'echo $HOME'
if [ "$LYR_MODE" = single ]; then
  code 0 lyr run --rm -u nobody busybox id -u
  same "$out" 0
  has "$err" "only id 0"
  lyr run -d --name e busybox sleep 1000 >/dev/null
  code 0 lyr exec -u nobody e id -u
  has "$err" "only id 0"
  exit
fi
prints "65534 65534" lyr run --rm -u nobody busybox sh -c 'echo $(id -u) $(id -g)'
prints "1000 0" lyr run --rm -u 1000 busybox sh -c 'echo $(id -u) $(id -g)'
prints "1000 50" lyr run --rm -u 1000:50 busybox sh -c 'echo $(id -u) $(id -g)'
code 125 lyr run --rm -u 2000000000 busybox true
has "$err" "outside the container's ids"
# Root has more to give than an image's usual 65536.
[ "$LYR_MODE" != root ] ||
  prints "100000 0 100000" lyr run --rm -u 100000 busybox \
    sh -c 'touch /tmp/f && echo $(id -u) $(id -g) $(stat -c %u /tmp/f)'
code 1 lyr run --rm -u 1000 busybox touch /bin/mine
prints 1000 lyr run --rm -u 1000 busybox sh -c 'touch /tmp/mine && stat -c %u /tmp/mine'
code 125 lyr run --rm -u missing busybox true
has "$err" missing
