# SPDX-License-Identifier: Apache-2.0
# A disk that loses its power at any moment keeps what was written before its last flush, and any
# part of what came later. Each store on it opens, is whole, and has what had returned by then.
# LYR_SEED=N repeats the moments of one run; LYR_CUTS=N has so many on each file system.
seed=${LYR_SEED:-$RANDOM}
echo "LYR_SEED=$seed"
RANDOM=$seed
trap 'at_exit $? eval "umount -q after before device"' EXIT
mkdir before after
touch device
moments=() states=()
now() { "$RECORDING_DISK" count log; }
state() { lyr images --format '{{.Repository}}' | sort | xargs; }
returned() { moments+=("$(now)") states+=("$(state)"); }
change() {  # command...
  "$@" >/dev/null
  returned
}
digest() { lyr save "$1" | sha256sum; }
is_whole() {  # the moment
  local got i from=0 allowed
  got=$(state)
  for i in "${!moments[@]}"; do ((moments[i] > $1)) || from=$i; done
  allowed="${states[from]}|${states[from + 1]-none}"
  [[ "|$allowed|" = *"|$got|"* ]] || fail "$kind, $1 of ${moments[*]}: '$got', not '$allowed'"
  lyr store scrub >/dev/null || fail "$kind, $1 of ${moments[*]}: damaged"
  for image in $got; do
    same "$image $(digest "$image")" "$image ${digests[$image]}"
  done
  lyr gc >/dev/null
  lyr store scrub >/dev/null || fail "$kind, $1 of ${moments[*]}: damaged after a collection"
  same "$(state)" "$got"
  lyr load -i "$images/busybox.tar" >/dev/null
}
declare -A digests
for kind in ext4 xfs btrfs; do
  mount_recorded $kind 700M
  moments=(0) states=("")
  change lyr load -i "$images/busybox.tar"
  change lyr load -i "$images/debian.tar"
  for image in $(state); do digests[$image]=$(digest "$image"); done
  change lyr store compact
  change lyr rmi lyr.test/busybox
  change lyr gc
  wait_for umount before
  end=$(now)
  umount device
  wait
  for ((i = 0; i < ${LYR_CUTS:-8}; i++)); do
    # Every third one just after something returned: nothing of that may be lost.
    moment=$(((RANDOM << 15 | RANDOM) % (end + 1)))
    ((i % 3)) || moment=${moments[RANDOM % ${#moments[@]}]}
    cp --sparse=always base cut
    "$RECORDING_DISK" cut log $moment $RANDOM cut >/dev/null
    mount -o loop cut after || fail "$kind: no mount at $moment of $end"
    LYR_ROOT=$PWD/after/root is_whole $moment
    wait_for umount after
  done
done
