# SPDX-License-Identifier: Apache-2.0
# An image of half a million files, 200,000 of them in one directory, is one like any other.
python3 -B "$here/large.py" "$images/busybox.tar" many files 300000 200000 >many.tar
lyr load -q -i many.tar >/dev/null
rm many.tar
prints 300 lyr run --rm many sh -c 'ls /many | wc -l'
prints 299999 lyr run --rm many cat /many/299/299999
prints "200000 200000 0" lyr run --name c many sh -c 'listed=$(ls /wide | wc -l)
  cd /wide; found=0; for i in $(seq 0 199999); do [ -e $i ] && found=$((found + 1)); done
  rm -r /wide/*; echo $listed $found $(ls -A /wide | wc -l)'
same "$(lyr diff c | grep -c '^D /wide/')" 200000
prints 200000 lyr run --rm many sh -c 'ls /wide | wc -l'
