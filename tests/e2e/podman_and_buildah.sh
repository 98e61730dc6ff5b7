# SPDX-License-Identifier: Apache-2.0
# podman and buildah with lyr as their mount_program: what containers, a build and commits hold is
# exactly what was changed.
for program in podman buildah runc; do
  command -v $program >/dev/null || skip "$program is not installed (tools/deps --peers)"
done
ln -s "$LYR" "$TMPDIR/mount.fuse.lyr"
export XDG_RUNTIME_DIR=$TMPDIR/xdg BUILDAH_ISOLATION=chroot
mkdir -m 700 "$XDG_RUNTIME_DIR" "$TMPDIR/build"
storage=(--root "$TMPDIR/p" --runroot "$TMPDIR/r" --storage-driver overlay
  --storage-opt "overlay.mount_program=$TMPDIR/mount.fuse.lyr")
podman() { command podman "${storage[@]}" --tmpdir "$TMPDIR/t" --cgroup-manager cgroupfs "$@"; }
buildah() { command buildah "${storage[@]}" "$@"; }
limits=(--ulimit nofile=1024:1024 --ulimit nproc=1024:1024)
run() { podman --runtime runc run --network none "${limits[@]}" "$@"; }
end() {
  podman rm -af >/dev/null 2>&1
  # Rootless, a process of podman's holds its namespaces until it is told to end.
  [ ! -e "$TMPDIR/t/pause.pid" ] || kill "$(cat "$TMPDIR/t/pause.pid")"
}
trap 'at_exit $? end' EXIT

podman load -qi "$images/debian.tar" >/dev/null
podman tag lyr.test/debian base
# A name that could not start an image's id: podman diff would take it for that image.
code 0 run --name worked base sh -ec 'grep -q "^[^ ]* / fuse.lyr" /proc/mounts; echo new >/new
  rm /etc/passwd; rm -r /usr/share/doc; mv /opt /moved; mkdir /opt; echo x >/opt/x
  chown 5:6 /etc/group; chmod 700 /etc/group; ln /etc/hostname.x /l 2>/dev/null || true
  echo more >>/etc/debian_version'
same "$(podman diff worked | sort | tr '\n' ' ')" "A /moved A /new A /opt/x C /etc \
C /etc/debian_version C /etc/group C /opt C /usr C /usr/share D /etc/passwd D /usr/share/doc "
podman commit -q worked changed >/dev/null
code 0 run --rm changed sh -ec 'cat /new /opt/x; stat -c "%u:%g %a" /etc/group
  ls -d /moved /etc/passwd /usr/share/doc 2>/dev/null || true; tail -n 1 /etc/debian_version'
same "$out" $'new\nx\n5:6 700\n/moved\nmore'

cat >"$TMPDIR/build/Dockerfile" <<'D'
FROM base
COPY Dockerfile /kept/
RUN rm -r /usr/share/doc && mkdir /usr/share/doc && echo one >/usr/share/doc/one
RUN echo two >>/usr/share/doc/one && rm /kept/Dockerfile && ln -s one /usr/share/doc/link
USER 1000
D
buildah bud -q --layers --network none -t built "$TMPDIR/build" >/dev/null
code 0 run --rm built sh -c 'id -u; ls -A /kept; ls /usr/share/doc; cat /usr/share/doc/link'
same "$out" $'1000\nlink\none\none\ntwo'
