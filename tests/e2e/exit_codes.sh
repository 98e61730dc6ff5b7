# SPDX-License-Identifier: Apache-2.0
# Docker's exit codes: 125 lyr's own failure, 126 cannot be run, 127 not found, 128+n a signal, else
# the program's.
load busybox
run() { lyr run --rm busybox "$@"; }
code 0 run true
code 1 run false
code 42 run sh -c 'exit 42'
code 127 run no-such-program
has "$err" no-such-program
code 127 run /bin/no-such-program
code 126 run /etc/passwd
code 126 run /tmp
# As pid 1 a program would be spared its own signals; under an init it is not.
code 137 lyr run --rm --init busybox sh -c 'kill -9 $$; sleep 60'
code 143 lyr run --rm --init busybox sh -c 'kill -15 $$; sleep 60'
code 125 lyr run --rm no-such-image true
code 125 lyr run --no-such-flag busybox true
code 125 lyr run --rm --user nobody-of-that-name busybox true
prints "" lyr ps -aq
