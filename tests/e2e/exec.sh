# SPDX-License-Identifier: Apache-2.0
# exec runs beside the container's program, with its own environment, user and directory.
load busybox
lyr run -d --name e -e FROM=run -w /tmp busybox sleep 1000 >/dev/null
prints run lyr exec e sh -c 'echo $FROM'
prints /tmp lyr exec e pwd
prints "own /etc" lyr exec -e FROM=own -w /etc e sh -c 'echo $FROM $PWD'
[ "$LYR_MODE" = single ] || prints 65534 lyr exec -u nobody e id -u
code 7 lyr exec e sh -c 'exit 7'
code 127 lyr exec e no-such-program
code 126 lyr exec e /etc/passwd
code 126 lyr exec -w /not/there e true
code 1 lyr exec e test -e /not
code 126 lyr exec -w not/absolute e true
code 126 lyr exec -u nobody-of-that-name e true
has "$err" nobody-of-that-name
code 137 lyr exec e sh -c 'kill -9 $$'
same "$(echo piped | lyr exec -i e cat)" piped
prints sleep lyr exec e cat /proc/1/comm
lyr exec -d e sh -c 'sleep 0.1; touch /tmp/later'
wait_for lyr exec e test -e /tmp/later
same "$(lyr exec e awk '/^(Seccomp|CapBnd):/ { print $2 }' /proc/self/status | xargs)" \
  "00000000a80425fb 2"
lyr stop -t 0 e >/dev/null
code 1 lyr exec e true
has "$err" "not running"
