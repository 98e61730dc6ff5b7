# SPDX-License-Identifier: Apache-2.0
# A real interpreter from a real image, its entrypoint and its many small files.
load python
prints 42 lyr run --rm python -c 'print(6*7)'
prints posix lyr run --rm python -c 'import os; print(os.name)'
code 3 lyr run --rm python -c 'import sys; sys.exit(3)'
code 1 lyr run --rm python -c 'raise ValueError("seen")'
has "$err" "ValueError: seen"
same "$(echo 'print(7*6)' | lyr run --rm -i python)" 42
code 0 lyr run --rm python -c 'import os; os.makedirs("/a/b"); os.rename("/a/b", "/a/c")'
