# SPDX-License-Identifier: Apache-2.0
# Shell completion knows commands, flags, containers and images.
load busybox
lyr create --name somebody busybox >/dev/null
lyr completion bash >lyr.bash
bash -n lyr.bash
complete_words() {  # word...
  (
    PATH=$(dirname "$LYR"):$PATH
    source ./lyr.bash
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    _lyr
    printf '%s\n' "${COMPREPLY[@]}"
  )
}
prints inspect complete_words lyr ins
prints --entrypoint complete_words lyr run --entryp
prints somebody complete_words lyr start some
has "$(complete_words lyr run --rm busy)" busybox:latest
# Commands of two words: first the group, then its commands, in lyr help too.
prints store complete_words lyr stor
prints stats complete_words lyr store stat
prints stats complete_words lyr --root /x help store stat
has "$(complete_words lyr help ru)" run
code 1 lyr completion tcsh
