# SPDX-License-Identifier: Apache-2.0
# Docker's fourteen capabilities, more or fewer when asked, none for an ordinary user.
load busybox
effective() { lyr run --rm "$@" busybox awk '/^CapEff/ { print $2 }' /proc/self/status; }
prints 00000000a80425fb effective
prints 0000000000000000 effective --cap-drop ALL
prints 0000000000000400 effective --cap-drop ALL --cap-add NET_BIND_SERVICE
prints 00000000a80435fb effective --cap-add CAP_NET_ADMIN
[ "$LYR_MODE" = single ] || prints 0000000000000000 effective -u 1000
code 125 lyr run --rm --cap-add NOT_A_CAP busybox true
has "$err" NOT_A_CAP
prints 1 lyr run --rm --security-opt no-new-privileges busybox \
  awk '/^NoNewPrivs/ { print $2 }' /proc/self/status
