# SPDX-License-Identifier: Apache-2.0
# bash in a real terminal: line editing, Ctrl-C, window size, job control, exit code.
command -v tmux >/dev/null || skip "no tmux"
load debian
tmux="tmux -S $HOME/tmux"
seen() { $tmux capture-pane -p -S -100 | grep -qxF "$1"; }
keys() { $tmux send-keys "$@"; }
$tmux -f /dev/null new-session -d -x 90 -y 30 "env PS1='$ ' bash --norc"
trap 'at_exit $? $tmux kill-server' EXIT
keys "'$LYR' run -it --name t debian bash --norc; echo code=\$?" Enter
keys 'stty size; tty' Enter
wait_for seen "30 90"
wait_for seen /dev/pts/0
keys 'echo wrong' C-a C-k 'echo rihgt' C-b C-b C-t Enter
wait_for seen right
keys 'sleep 1000' Enter
wait_for lyr exec t sh -c 'grep -lx sleep /proc/[0-9]*/comm'
keys C-c
keys 'echo status=$?' Enter
wait_for seen status=130
keys 'sleep 999' Enter
wait_for lyr exec t sh -c 'grep -lx sleep /proc/[0-9]*/comm'
keys C-z
keys 'jobs | wc -l; kill %1; wait' Enter
wait_for seen 1
$tmux resize-window -x 70 -y 20
keys 'stty size' Enter
wait_for seen "20 70"
keys 'exit 23' Enter
wait_for seen code=23
