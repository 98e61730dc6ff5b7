# SPDX-License-Identifier: Apache-2.0
# An archive has its name only when it is whole: not on a full disk, not when save is killed. What
# is no file is just written to, and a reader that goes away is an error that is said.
load busybox python
mkdir out
lyr save -o out/good busybox
echo before >"$HOME/small/kept"
for name in new kept; do
  code 1 lyr save -o "$HOME/small/$name" python
  matches "$err" "[Nn]o space"
done
same "$(ls -A "$HOME/small")" kept
same "$(cat "$HOME/small/kept")" before
code 137 strace -f -o /dev/null -e trace=write -e inject=write:signal=KILL:when=20 \
  "$LYR" save -o out/good python
same "$(ls -A out)" good
lyr save busybox | cmp - out/good
# As where files cannot be without a name.
strace -f -o calls -P "$PWD/out" -e inject=openat:error=EOPNOTSUPP:when=1 \
  "$LYR" save -o out/named busybox
grep -q O_TMPFILE.*INJECTED calls || fail "not the call that was meant"
cmp out/named out/good
same "$(ls -A out | xargs)" "good named"

code 1 bash -c '"$LYR" save python | head -c 1000 >/dev/null; exit ${PIPESTATUS[0]}'
has "$err" "standard output was closed"
mkfifo fifo
lyr save -o fifo busybox &
cmp fifo out/good
wait $!
lyr save -o /dev/stdout busybox | cmp - out/good
lyr save -o /dev/stdout busybox >to-stdout
cmp to-stdout out/good
echo old >linked
chmod 600 linked
ln -s linked link
lyr save -o link busybox
[ -L link ] || fail "the link was replaced"
cmp linked out/good
same "$(stat -c %a linked)" 600
same "$(stat -c %a out/good)" 644
code 1 lyr save -o out busybox
has "$err" "is a directory"
code 1 lyr save -o no/such/place busybox
has "$err" no/such/place
code 1 script -qec "$LYR save busybox" /dev/null
has "$out" "-o FILE"
