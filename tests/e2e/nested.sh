# SPDX-License-Identifier: Apache-2.0
# lyr as root of a user namespace, as in a container, a build or a CI job: with one id, and, where
# the caller has subordinate ids, with many. Not as root: what is nested is then no different.
load busybox
nested() { unshare --user --mount --map-root-user "$@"; }
run='"$LYR" run --rm busybox sh -c "chown 5:6 /bin; stat -c %u:%g /bin; rm /bin/vi; id -u
  echo \$1"'
prints $'0:0\n0\nlast' nested sh -c "$run - last"
nested sh -c '"$LYR" run --name kept busybox sh -c "mv /etc /moved; echo more >>/moved/passwd"'
prints more nested sh -c '"$LYR" cp kept:/moved/passwd - | tar xO | tail -n 1'
[ "$LYR_MODE" = rootless ] || exit 0
prints $'5:6\n0\nlast' nested --map-auto sh -c "$run - last"
