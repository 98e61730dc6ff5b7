# SPDX-License-Identifier: Apache-2.0
# SIGKILL of a supervisor, a union server or a command at a random moment: the next command puts
# everything right. tests/e2e/run then sees that no process and no mount is left.
seed=${LYR_SEED:-$RANDOM}
echo "seed $seed"
RANDOM=$seed
load busybox
ours() { pgrep -f "^$LYR " | shuf --random-source=<(yes $RANDOM) -n 1 || true; }
for ((i = 0; i < 60; i++)); do
  name=k$((i % 4))
  case $((i % 5)) in
    0) lyr run -d --name $name busybox sleep 1000 >/dev/null 2>&1 & ;;
    1) lyr exec $name sh -c 'echo x >>/file' >/dev/null 2>&1 & ;;
    2) lyr stop -t 0 $name >/dev/null 2>&1 & ;;
    3) lyr start $name >/dev/null 2>&1 & ;;
    4) lyr rm -f $name >/dev/null 2>&1 & ;;
  esac
  command=$!
  sleep "0.0$((RANDOM % 10))"
  victim=$(ours)
  [ -z "$victim" ] || kill -9 "$victim" 2>/dev/null || true
  wait $command 2>/dev/null || true
  code 0 lyr ps -a
done
remove_containers
prints "" lyr ps -aq
prints fine lyr run --rm busybox echo fine
same "$(ls "$LYR_ROOT/containers" | grep -cE '^[0-9a-f]{64}$' || true)" 0
