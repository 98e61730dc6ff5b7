# SPDX-License-Identifier: Apache-2.0
# -t without a terminal to pass on is refused before anything is made.
load busybox
code 125 lyr run --rm -it busybox true
matches "$err" "TTY|terminal"
prints "" lyr ps -aq
lyr run -d -t --name t busybox sh -c 'tty; sleep 1000' >/dev/null
wait_for eval 'lyr logs t | grep -q /dev/pts/0'
code 1 lyr exec -it t true
matches "$err" "TTY|terminal"
