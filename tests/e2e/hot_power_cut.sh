# SPDX-License-Identifier: Apache-2.0
# A power cut at any moment of the first copies of large files leaves whole copies for others to
# share, or none. LYR_SEED=N repeats the moments of one run; LYR_CUTS=N has so many on each kind.
seed=${LYR_SEED:-$RANDOM}
echo "LYR_SEED=$seed"
RANDOM=$seed
export LYR_UNION=fuse
trap 'at_exit $? eval "umount -q after before device"' EXIT
mkdir before after
touch device
large='find /usr -xdev -path "*perl*" -type f -size +1024k'  # which no program here uses
write="for file in \$($large); do
  printf x | dd of=\$file bs=1 seek=70000 conv=notrunc,fsync status=none; done"
sums="$large | sort | xargs sha256sum"
for kind in xfs btrfs; do
  mount_recorded $kind 900M
  load debian
  lyr run --rm debian sh -c "$sums" >expected
  begin=$("$RECORDING_DISK" count log)
  lyr run --name first debian sh -c "$write"
  kept=$(ls before/root/store/hot | wc -l)
  lyr gc >/dev/null
  lyr run --name next debian sh -c "$write"
  wait_for umount before
  end=$("$RECORDING_DISK" count log)
  wait_for umount device
  wait
  ((kept > 3)) || fail "$kind: $kept copies"
  found=0
  for ((i = 0; i < ${LYR_CUTS:-8}; i++)); do
    moment=$((begin + (RANDOM << 15 | RANDOM) % (end - begin + 1)))
    ((i > 0)) || moment=$end # with all copies
    cp --sparse=always base cut
    "$RECORDING_DISK" cut log $moment $RANDOM cut >/dev/null
    mount -o loop cut after || fail "$kind: no mount at $moment of $end"
    LYR_ROOT=$PWD/after/root
    code 0 lyr store scrub -q
    hot=$(grep '^Hot files' <<<"$out") || hot="Hot files: 0 whole, 0 removed"
    matches "$hot" '^Hot files: [0-9]+ whole, 0 removed$'
    found=$((found + $(tr -dc 0-9 <<<"${hot%,*}")))
    lyr run --name cut debian sh -c "$sums" | cmp - expected
    lyr rm -f cut >/dev/null
    wait_for umount after
  done
  ((found >= kept)) || fail "$kind: $found of $kept copies"
  echo "$kind: $found copies after ${LYR_CUTS:-8} cuts"
done
