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
whole_us=$((($(date +%s%N) - start) / 1000))
killed=0
for ((i = 0; i < 200; i++)); do
  lyr rmi -f lyr.test/python:latest >/dev/null 2>&1 || true
  "$LYR" load -i "$archive" >/dev/null 2>&1 &
  loading=$!
  sleep "$(printf '0.%06d' $((RANDOM * 32768 % (whole_us < 999999 ? whole_us : 999999))))"
  kill -9 $loading 2>/dev/null || true
  wait $loading 2>/dev/null || killed=$((killed + 1))
  code 0 lyr images --format '{{.Repository}}'
  case $out in
    busybox*lyr.test/busybox | *lyr.test/python*) ;;
    *) fail "after kill $i the store shows: $out" ;;
  esac
  code 0 lyr inspect busybox
done
[ $killed -ge 100 ] || fail "only $killed of 200 loads were hit"
code 0 lyr load -i "$archive"
prints 42 lyr run --rm lyr.test/python -c 'print(6*7)'
