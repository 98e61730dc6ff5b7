# SPDX-License-Identifier: Apache-2.0
# `lyr load` killed with SIGKILL at 200 random moments: each time the store opens as it was before,
# or with the whole image; never with part of it. Loading again succeeds.
seed=${LYR_SEED:-$RANDOM}
echo "seed $seed"
RANDOM=$seed
load busybox
archive=$images/python.tar
start=$(date +%s%N)
lyr load -i "$archive" >/dev/null
range_us=$((($(date +%s%N) - start) / 1000))
killed=0
for ((i = 0; killed < 200; i++)); do
  ((i < 1000)) || fail "only $killed of $i loads were hit"
  lyr rmi -f lyr.test/python:latest >/dev/null 2>&1 || true
  "$LYR" load -i "$archive" >/dev/null 2>&1 &
  loading=$!
  moment_us=$(((RANDOM << 15 | RANDOM) % range_us))
  sleep $((moment_us / 1000000)).$(printf %06d $((moment_us % 1000000)))
  kill -9 $loading 2>/dev/null || true
  # The range follows how long loads take now, so that their last steps are hit, too.
  if wait $loading 2>/dev/null; then
    range_us=$((range_us - range_us / 20))
  else
    killed=$((killed + 1))
    range_us=$((range_us + range_us / 50))
  fi
  code 0 lyr images --format '{{.Repository}}'
  case $out in
    busybox*lyr.test/busybox | *lyr.test/python*) ;;
    *) fail "after kill $i the store shows: $out" ;;
  esac
  code 0 lyr inspect busybox
done
code 0 lyr load -i "$archive"
prints 42 lyr run --rm lyr.test/python -c 'print(6*7)'
