# SPDX-License-Identifier: Apache-2.0
# What gc, system df, system prune and store compact say is what du says; what is needed stays.
on_disk() { du -sB1 "$LYR_ROOT" | cut -f1; }
# What df says all kinds take, in bytes, as exact as its units are.
said() {
  lyr system df --format '{{.Size}}' |
    awk '{ n = $1 + 0 } /kB/ { n *= 1e3 } /MB/ { n *= 1e6 } { sum += n } END { printf "%d", sum }'
}
same_size() {
  local du df
  du=$(on_disk) df=$(said)
  ((du - df < du / 100 + 50000 && df - du < du / 100 + 50000)) || fail "du says $du, df says $df"
}
load busybox
load debian
lyr run --name kept busybox sh -c 'echo kept >/file'
lyr create --name gone debian true >/dev/null
same_size
whole=$(on_disk)
code 0 lyr store compact
matches "$out" 'Total reclaimed space: [0-9.]+MB'
(($(on_disk) < whole * 7 / 10)) || fail "compacted to $(on_disk) of $whole"
prints kept lyr run --rm debian sh -c 'dpkg --verify && echo kept'
code 0 lyr gc
has "$out" "Total reclaimed space: 0B"
has "$(lyr system prune </dev/null)" "Are you sure you want to continue?"
lyr start -a kept >/dev/null
code 0 lyr system prune -f
has "$out" "Deleted Containers:"
lacks "$out" "deleted: sha256"
prints "" lyr ps -aq
lyr run -d --name user busybox sleep 1000 >/dev/null
code 0 lyr system prune -af
has "$out" "untagged: lyr.test/debian:latest"
lacks "$out" busybox
same_size
prints hello lyr exec user echo hello
lyr rm -f user >/dev/null
code 0 lyr gc --dry-run
matches "$out" 'Total reclaimable space: 0B'
code 1 lyr system prune -f --filter until=never
