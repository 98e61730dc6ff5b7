# SPDX-License-Identifier: Apache-2.0
# What a committed image says of itself, by docker's rules: what its container was given, then the
# changes that are asked for; a line of history; the name, which another image loses. It is saved
# and loaded like any other.
load busybox
config_of() {  # image, python expression of its config `c`
  lyr save "$1" | python3 -c '
import json, sys, tarfile
tar = tarfile.open(fileobj=sys.stdin.buffer, mode="r|")
files = {entry.name: tar.extractfile(entry).read() for entry in tar if entry.name.endswith(".json")}
c = json.loads(files[json.loads(files["manifest.json"])[0]["Config"]])
value = eval(sys.argv[1])
print(*value if isinstance(value, list) else [value])' "$2"
}
lyr create --name c -e FROM=run -e EMPTY= -u 7:8 -w /srv -l one=1 -l two=2 --stop-signal INT \
  -v /own --entrypoint /bin/sh busybox -c 'echo ran' >/dev/null
id=$(lyr commit -a 'A. Author' -m 'a message' c team/tool:1)
same "$(inspect team/tool:1 '{{.Id}} {{.Author}}')" "$id A. Author"
prints "['/bin/sh'] ['-c', 'echo ran'] 7:8 /srv INT {'/own': {}}" config_of \
  $id '[c["config"][k] for k in "Entrypoint Cmd User WorkingDir StopSignal Volumes".split()]'
matches "$(config_of $id 'c["config"]["Labels"]')" "'one': '1', 'org.example.kind': 'busybox'"
has "$(config_of $id 'c["config"]["Env"]')" "FROM=run EMPTY="
prints "-c echo ran/A. Author/a message/True" config_of $id \
  '"/".join(str(c["history"][-1].get(k)) for k in "created_by author comment empty_layer".split())'
prints True config_of $id 'c["history"][-1]["created"] == c["created"] > c["history"][0]["created"]'
# Nothing was changed: no layer. What is the same is the same layer.
same "$(inspect $id '{{.RootFS.Layers}}')" "$(inspect busybox '{{.RootFS.Layers}}')"
lyr run --name r -v /etc/passwd:/made:ro busybox true
same "$(inspect $(lyr commit r) '{{.RootFS.Layers}}')" "$(inspect busybox '{{.RootFS.Layers}}')"
prints "ran" lyr run --rm team/tool:1
lyr run --name changed busybox sh -c 'echo content >/file'
same "$(inspect $(lyr commit changed) '{{.RootFS.Layers}}')" \
  "$(inspect $(lyr commit changed) '{{.RootFS.Layers}}')"
# Instructions change that.
again=$(lyr commit -c 'CMD ["cat", "/file"]' -c 'ENV A=1 PATH=/x:$PATH' --change 'LABEL two="2 2"' \
  -c 'EXPOSE 80 53/udp' -c 'USER 9' -c 'WORKDIR /etc' -c 'VOLUME /v' -c 'ONBUILD RUN x' \
  -c 'STOPSIGNAL TERM' changed team/tool:1)
prints content lyr run --rm team/tool:1
prints "9 /etc ['RUN x'] {'53/udp': {}, '80/tcp': {}} {'/v': {}}" config_of team/tool:1 \
  '[c["config"][k] for k in "User WorkingDir OnBuild ExposedPorts Volumes".split()]'
matches "$(config_of team/tool:1 'c["config"]["Env"]')" "PATH=/x:/.* A=1$"
same "$(inspect team/tool:1 '{{.Id}}')" "$again"
same "$(inspect $id '{{.RepoTags}}')" "[]"
# Triggers are for what is built upon an image, not for what is committed of it.
lyr create --name child team/tool:1 >/dev/null
prints False config_of $(lyr commit child) '"OnBuild" in c["config"]'
# Saved and loaded, by lyr and by others.
for format in docker-archive oci-archive; do
  lyr save --format $format -o image.tar team/tool:1
  lyr rm child >/dev/null 2>&1 || true
  lyr rmi -f team/tool:1 >/dev/null
  lyr load -q -i image.tar >/dev/null
  same "$(inspect team/tool:1 '{{.Id}}')" "$again"
  prints content lyr run --rm team/tool:1
  if command -v skopeo >/dev/null; then
    has "$(skopeo inspect --config $format:image.tar)" '"WorkingDir": "/etc"'
    skopeo copy -q $format:image.tar dir:copied
    rm -r copied
  fi
done
# What cannot be is said, and leaves no image.
before=$(lyr images -aq | sort)
refuse() {  # what is said, arguments...
  local said=$1
  shift
  code 1 lyr commit "$@"
  has "$err" "$said"
}
refuse "No such container" nobody
refuse "RUN make" -c 'RUN make' changed
refuse "ENV A" -c 'ENV A' changed
refuse "SIGNOTHING" -c 'STOPSIGNAL SIGNOTHING' changed
refuse "Bad" changed Bad/Name
refuse "digest" changed name@$again
refuse "more than 4096 items" -c 'EXPOSE 1-4097' changed
same "$(lyr images -aq | sort)" "$before"
# A name that only a layer may have.
lyr run --name odd busybox sh -c 'mkdir /etc/.wh.d
  touch /etc/.wh.d/below /etc/.wh..wh..opq /etc/kept'
code 0 lyr commit odd odd
same "$(grep -c 'is left out' <<<"$err")" 2
prints "group kept passwd" lyr run --rm odd sh -c 'ls -A /etc | grep -v "host\|resolv" | xargs'
# Such names move no cursor, and do not fill the screen.
lyr run --name odder busybox sh -c \
  'for i in $(seq 13); do touch "/etc/.wh.$(printf "\033[2J")$i"; done'
code 0 lyr commit odder
same "$(grep -c '/etc/.wh.\\x1b\[2J[0-9]* is left out' <<<"$err")" 10
has "$err" "and 3 more are left out"
# A PATH that nobody gave is not said, and instructions know it.
python3 -B - "$here" >bare.tar <<'MAKE'
import sys
sys.path.insert(0, sys.argv[1])
from damage import entry, saved_image, tar_of
sys.stdout.buffer.write(saved_image(tar_of(entry("file", b"1"))))
MAKE
lyr load -q -i bare.tar >/dev/null
lyr create --name bare bad x >/dev/null
lacks "$(config_of $(lyr commit bare) 'c["config"]')" PATH
has "$(config_of $(lyr commit -c 'ENV PATH=/x:$PATH' bare) 'c["config"]["Env"]')" PATH=/x:/usr/
lyr create --name given -e PATH=/given bad x >/dev/null
prints PATH=/given config_of $(lyr commit given) 'c["config"]["Env"]'
