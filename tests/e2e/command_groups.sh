# SPDX-License-Identifier: Apache-2.0
# Commands of two words: their group lists them, a slip in the second word is named, and docker's
# long forms still mean what they did.
code 0 lyr store --help
matches "$out" $'\n  stats  +'
prints "$out" lyr help store
code 125 lyr store
has "$out" "Usage: lyr store COMMAND"
code 125 lyr store stast
has "$err" "lyr store: 'stast' is not a command; did you mean 'stats'?"
code 125 lyr store frobnicate
has "$err" "lyr store --help lists the commands"
code 125 lyr sotre stats
has "$err" "did you mean 'store'?"
code 125 lyr store stats --no-such-flag
has "$err" "lyr store stats: unknown flag --no-such-flag"
code 0 lyr help --man store stats
has "$out" '.TH LYR\-STORE\-STATS 1'
code 1 lyr help store stast
code 0 lyr store stats
matches "$out" '^IMAGE '
prints "$(lyr images)" lyr image ls
prints "$(lyr ps --help)" lyr help container ls
