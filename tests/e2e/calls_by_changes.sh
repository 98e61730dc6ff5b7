# SPDX-License-Identifier: Apache-2.0
# System calls, as strace counts them: what a container changed is found, and an image made of it,
# without a look at what it did not change, however much that is. The new image's tree is written
# anew, in pieces of a megabyte. Not with subordinate ids: newuidmap has no privilege under strace.
command -v strace >/dev/null || skip "no strace"
# How often a server waits and looks for requests, on which CPU, and what it looks at for that, is a
# matter of time, as is who writes a batch.
waits=read,readv,poll,ppoll,futex,nanosleep,clock_nanosleep,sched_yield,io_uring_enter,madvise
waits+=,sched_setaffinity,sched_setattr
count() { # command...: with all that it starts
  strace -f -qq -y -e trace="!$waits" -e signal=none -o calls "$LYR" "$@" >/dev/null
  grep -c -v -e '/proc/loadavg' -e '/proc/[0-9]*/stat' -e ' ioctl([0-9]*<\(pid:\|/[a-z/]*fuse>\)' \
    -e ' resumed>' -e ' +++ ' calls
}
change='mkdir /new; for i in $(seq 1 $2); do echo $1 $i >/new/$i; done; echo >/many/0/100
  rm /many/0/101'
declare -A diff commit
for files in 200 20000; do
  python3 -B "$here/large.py" "$images/busybox.tar" many$files files $files >many.tar
  lyr load -q -i many.tar >/dev/null
  for changes in 10 200; do
    lyr run --name c$files-$changes many$files sh -c "$change" sh "new in $files-$changes" $changes
    diff[$files $changes]=$(count diff c$files-$changes)
    commit[$files $changes]=$(count commit c$files-$changes)
  done
done
rm many.tar
for changes in 10 200; do
  few="200 $changes" many="20000 $changes"
  told="diff ${diff[$few]} and ${diff[$many]}, commit ${commit[$few]} and ${commit[$many]}"
  told+=" calls with 200 and with 20,000 files"
  ((diff[$few] > 50 && commit[$few] > 300)) || fail "not all were counted: $told"
  ((diff[$many] <= diff[$few] + 10)) || fail "diff depends on the image: $told"
  ((commit[$many] <= commit[$few] + 150)) || fail "commit depends on the image: $told"
  echo "$told"
done
