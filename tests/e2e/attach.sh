# SPDX-License-Identifier: Apache-2.0
# Input reaches a container that was started with -i, from run and from attach; attach returns the
# program's exit code.
load busybox
same "$(printf 'one\ntwo\n' | lyr run --rm -i busybox cat)" $'one\ntwo'
same "$(head -c 5000000 /dev/zero | lyr run --rm -i busybox wc -c)" 5000000
same "$(printf ignored | lyr run --rm busybox cat)" ""
lyr run -d -i --name a busybox sh -c 'read line; echo "got $line"; exit 4' >/dev/null
code 4 eval 'echo hello | lyr attach a'
has "$out" "got hello"
same "$(lyr logs a)" "got hello"
lyr create -i --name s busybox cat >/dev/null
same "$(echo through start | lyr start -a -i s)" "through start"
same "$(lyr run --rm busybox sh -c 'head -c 3000000 /dev/zero' | wc -c)" 3000000
