# SPDX-License-Identifier: Apache-2.0
# Ctrl-P Ctrl-Q leaves a container running; attach comes back to it.
command -v tmux >/dev/null || skip "no tmux"
load busybox
tmux="tmux -S $HOME/tmux"
seen() { $tmux capture-pane -p -S -100 | grep -qxF "$1"; }
$tmux -f /dev/null new-session -d -x 90 -y 30 "env PS1='$ ' bash --norc"
trap 'at_exit $? $tmux kill-server' EXIT
$tmux send-keys "'$LYR' run -it --name t busybox sh; echo left=\$?" Enter
$tmux send-keys 'x=remembered; echo inside' Enter
wait_for seen inside
$tmux send-keys C-p C-q
wait_for seen left=0
is_status t running || fail "not running after detaching: $(status_of t)"
$tmux send-keys "'$LYR' attach t; echo code=\$?" Enter
$tmux send-keys 'echo $x' Enter
wait_for seen remembered
$tmux send-keys 'exit 3' Enter
wait_for seen code=3
