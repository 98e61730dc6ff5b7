# SPDX-License-Identifier: Apache-2.0
# What every end-to-end script is written with; tests/e2e/run sources it before the script. A script
# states one behaviour of `lyr` as docker's people know it, and stops at the first that fails.

images=$LYR_TEST_IMAGES
here=$(dirname "$images")/e2e
shopt -s inherit_errexit

lyr() { "$LYR" "$@"; }

fail() {
  local frame=1
  while [[ ${BASH_SOURCE[frame]:-} = */lib.sh ]]; do frame=$((frame + 1)); done
  echo "FAILED $(basename "${BASH_SOURCE[frame]:-?}"):${BASH_LINENO[frame - 1]}: $*" >&2
  exit 1
}
skip() { echo "skipped: $*"; exit 77; }
trap 'echo "FAILED line $LINENO: $BASH_COMMAND" >&2' ERR

# Loads test images under their short names.
load() {
  local name
  for name in "$@"; do
    lyr load -i "$images/$name.tar" >/dev/null
    lyr tag "lyr.test/$name:latest" "$name"
  done
}

# Runs a command for its exit code; standard output is then in $out, standard error in $err.
code() {  # expected, command...
  local expected=$1 actual=0
  shift
  "$@" >"$TMPDIR/.out" 2>"$TMPDIR/.err" || actual=$?
  out=$(tr -d '\0' <"$TMPDIR/.out")
  err=$(tr -d '\0' <"$TMPDIR/.err")
  [ "$actual" = "$expected" ] ||
    fail "exit code $actual, not $expected: $*"$'\n'"stdout: $out"$'\n'"stderr: $err"
}
same() { [ "$1" = "$2" ] || fail "expected '$2', got '$1'"; }        # actual, expected
prints() { local want=$1; shift; code 0 "$@"; same "$out" "$want"; }  # expected, command...
has() { [[ $1 == *"$2"* ]] || fail "no '$2' in: $1"; }
lacks() { [[ $1 != *"$2"* ]] || fail "unwanted '$2' in: $1"; }
matches() { [[ $1 =~ $2 ]] || fail "no match of '$2' in: $1"; }

# Waits for a condition, not for a time: the limit is only there so that a failure ends.
wait_for() {  # command...
  local tries=600
  until "$@" >/dev/null 2>&1; do
    ((tries-- > 0)) || fail "never came true: $*"
    sleep 0.05
  done
}

inspect() { lyr inspect -f "$2" "$1"; }  # name, template
pid_of() { inspect "$1" '{{.State.Pid}}'; }
status_of() { inspect "$1" '{{.State.Status}}'; }
is_status() { [ "$(status_of "$1")" = "$2" ]; }

# Makes a file that a container waits for to end: that may be sooner than the touch itself.
touch_last() { lyr exec "$1" touch "$2" || [ $? = 137 ]; }  # name, path

# All that a store keeps, as text: to see that nothing was added.
kept() { (cd "$LYR_ROOT" && find . -type f ! -name '*.mdb' ! -name '*.tbl' | sort); }

remove_containers() {
  local ids
  ids=$(lyr ps -aq)
  [ -z "$ids" ] || lyr rm -f $ids >/dev/null
}
mount_recorded() {  # kind, size: a disk of it at before/, with LYR_ROOT; its changes are in `log`
  grep -qw "$1" /proc/filesystems || skip "this kernel has no $1"
  command -v "mkfs.$1" >/dev/null || skip "no mkfs.$1: tools/deps --peers installs it"
  [ -e /dev/loop-control ] || skip "no loop devices"
  rm -f disk base log
  truncate -s "$2" disk
  "mkfs.$1" -q disk >/dev/null
  cp --sparse=always disk base
  "$RECORDING_DISK" serve disk log device &
  wait_for mountpoint -q device
  mount -o loop device before
  export LYR_ROOT=$PWD/before/root
}
# Traps EXIT again to end what else a script started: `trap 'at_exit $? COMMAND...' EXIT`.
at_exit() {  # status, command to run first...
  local status=$1
  trap - ERR EXIT
  shift
  [ $# = 0 ] || "$@" || true
  [ $status != 0 ] || remove_containers || status=1
  exit $status
}
trap 'at_exit $?' EXIT
