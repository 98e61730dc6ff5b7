# SPDX-License-Identifier: Apache-2.0
# A real interpreter from a real image, its entrypoint and its many small files.
load python
prints 42 lyr run --rm python -c 'print(6*7)'
prints "[1, 2]" lyr run --rm python -c 'import json; print(json.loads("[1,2]"))'
code 3 lyr run --rm python -c 'import sys; sys.exit(3)'
code 1 lyr run --rm python -c 'raise ValueError("seen")'
has "$err" "ValueError: seen"
same "$(echo 'print(7*6)' | lyr run --rm -i python)" 42
lyr run --rm python -m compileall -q /usr/lib/python3.11/json
