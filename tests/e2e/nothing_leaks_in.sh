# SPDX-License-Identifier: Apache-2.0
# No open file and no variable of the caller comes along, with run and with exec.
load busybox
echo secret >secret
exec 7<secret 8<"$HOME" 9>>secret
export HOST_SECRET=42
lyr run -d --name c busybox sleep 1000 >/dev/null
for way in "run --rm busybox" "exec c"; do
  # ls itself opens 3, the directory it lists.
  prints "0 1 2 3" eval "lyr $way ls /proc/self/fd | sort -n | xargs"
  lacks "$(lyr $way env)" HOST_SECRET
  lacks "$(lyr $way env)" LYR_ROOT
  lacks "$(lyr $way sh -c 'readlink /proc/self/fd/*')" "$HOME"
done
same "$(lyr exec c ls /proc/1/fd | wc -l)" 3
