# SPDX-License-Identifier: Apache-2.0
# What a person gets wrong is answered with what is wrong and what to do.
load busybox
code 125 lyr run --rm no/such:image true
has "$err" no/such:image
code 125 lyr run --hostnam x busybox true
has "$err" --hostname
code 125 lyr run --mem 64m busybox true
has "$err" --memory
code 125 lyr rnu busybox
has "$err" run
code 125 lyr run --rm --network bridged busybox true
has "$err" "host"
code 125 lyr run --name 'bad name!' busybox true
has "$err" name
code 1 lyr load -i no-such-file
has "$err" no-such-file
code 1 lyr inspect nothing
code 125 lyr
has "$err$out" run
code 0 lyr --help
for command in run load images ps exec logs stop rm; do
  has "$(lyr help)" " $command "
  code 0 lyr $command --help
  has "$out" "lyr $command"
done
prints "" lyr ps -aq
code 125 lyr pull busybox
has "$err" "not built yet"
code 125 lyr volume ls
has "$err" "not built yet"
