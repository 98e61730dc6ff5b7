# SPDX-License-Identifier: Apache-2.0
# When only the union's server is killed the container cannot go on: it ends, and starts again.
load busybox
lyr run -d --name c busybox sh -c 'echo kept >>/file; while ls / >/dev/null; do sleep 0.05; done' \
  >/dev/null
wait_for lyr exec c test -e /file
server=$(pgrep -x lyr-union)
kill -9 "$server"
wait_for eval '! is_status c running'
lyr start c >/dev/null
wait_for lyr exec c sh -c '[ $(wc -l </file) = 2 ]'
