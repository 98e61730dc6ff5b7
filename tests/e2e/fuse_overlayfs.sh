# SPDX-License-Identifier: Apache-2.0
# fuse-overlayfs and lyr take turns in writing one upper directory: each shows what the other left.
# Not as root: in a user namespace of its own, where one may mount.
command -v fuse-overlayfs >/dev/null || skip "fuse-overlayfs is not installed (tools/deps --peers)"
if [ "$LYR_MODE" != root ] && [ -z "${LYR_NESTED:-}" ]; then
  export LYR_NESTED=1
  exec unshare --user --map-root-user --mount bash -euo pipefail -c \
    '. "$1/lib.sh"; . "$1/fuse_overlayfs.sh"' fuse_overlayfs "$here"
fi
mkdir -p low/{a,b,c,d}/{e,f} up work m
for name in a b c d; do echo "$name" | tee low/$name/{x,y} >low/$name/e/z; done

shows() { (cd m && find . -type f -exec cat {} + -o -print | sort); }
change() {  # one of the four directories
  rm "m/$1/y" && rm -r "m/$1/e" && mkdir "m/$1/e" && echo new >"m/$1/e/new"
  mv "m/$1/x" "m/$1/moved" && chmod 700 "m/$1/f" && echo more >>"m/$1/moved"
}
union() { "$1" "${@:2}" -o lowerdir=low,upperdir=up,workdir=work m 2>/dev/null; }
by_lyr() { union lyr mount; }
by_other() { union fuse-overlayfs; }
turn() {  # who mounts and changes, what, who looks then
  local before
  "$1"
  change "$2"
  before=$(shows)
  umount m
  "$3"
  same "$(shows)" "$before"
  umount m
}
turn by_other a by_lyr
turn by_lyr b by_other
turn by_other c by_lyr
turn by_lyr d by_other
wait_for eval '! pgrep -x "lyr-union|fuse-overlayfs"'
