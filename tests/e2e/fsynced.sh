# SPDX-License-Identifier: Apache-2.0
# What a program was told to be on disk is there when its container starts again after all processes
# were killed at once, the program's too: at the end of a file, in new files, in one of the image's.
load debian
modes=auto
[ "$LYR_MODE" = single ] || modes+=" fuse"
[ "$LYR_MODE" != root ] || modes+=" passthrough"
[ ! -e /sys/module/fuse/parameters/enable_uring ] || modes+=" io_uring"
# Nothing is closed before its number is printed: a close writes, too.
program='
  use IO::Handle;
  exec "tar", "cf", "-", "-C", "/", "log", "new", "usr/bin/dpkg" if -e "/log"; # the second start
  mkdir "/new";
  open(my $log, ">>", "/log") && open(my $of_image, "+<", "/usr/bin/dpkg") or exit 3;
  $| = 1;
  for (my $i = 1;; ++$i) {
    open(my $new, ">", "/new/$i") && sysseek($of_image, $i * 100, 0) or exit 4;
    for my $file ($log, $new, $of_image) {
      syswrite($file, sprintf("%099d\n", $i)) == 100 && $file->sync or exit 5;
    }
    print "$i\n";
  }'
lyr run --rm debian cat /usr/bin/dpkg >original
count=60 # more come before the kill
printed() { [ "$(wc -l <printed)" -ge $count ]; }
processes() { (cd /proc && printf '%s\n' [0-9]*) | sort; }
gone() { ! kill -0 "$1"; }
for mode in $modes; do
  for order in -n -rn; do # the supervisor first, or the container
    : >printed
    processes >before
    "$LYR" run --name c --union $mode debian perl -e "$program" >printed &
    wait_for printed
    victims=$(processes | comm -13 before - | sort $order)
    kill -9 $victims 2>/dev/null || true # some were there for a moment
    for victim in $victims; do wait_for gone "$victim"; done
    wait $! 2>/dev/null || true # it may have seen the end of the others before its own
    last=$(wc -l <printed)
    seq 1 "$last" | cmp - printed
    seq -f %099.0f 1 "$last" >records

    rm -rf found
    mkdir found
    lyr start -a c | tar xf - -C found
    echo "$mode: $last records, $(wc -l <found/log) found"
    head -n "$last" found/log | cmp - records
    (cd found/new && cat $(seq 1 "$last")) | cmp - records
    head -c $(((last + 1) * 100)) found/usr/bin/dpkg | tail -c +101 | cmp - records
    cmp <(head -c 100 found/usr/bin/dpkg) <(head -c 100 original)
    end=$((($(wc -l <found/log) + 1) * 100)) # what was not printed yet may be there, too
    cmp <(tail -c +$((end + 1)) found/usr/bin/dpkg) <(tail -c +$((end + 1)) original)
    lyr rm c >/dev/null
  done
done
