# SPDX-License-Identifier: Apache-2.0
# images, tag, inspect and rmi as docker's people know them.
load busybox
id=$(inspect busybox '{{.Id}}')
code 0 lyr images
matches "$out" '^REPOSITORY +TAG +IMAGE ID +CREATED +SIZE'
has "$out" "${id:7:12}"
code 0 lyr tag "${id:7:8}" team/tool:v1.2
prints "$id" lyr inspect -f '{{.Id}}' team/tool:v1.2
prints '["sh"]' lyr inspect -f '{{json .Config.Cmd}}' busybox
prints busybox lyr inspect -f '{{index .Config.Labels "org.example.kind"}}' busybox
code 0 lyr inspect busybox
python3 -c 'import json, sys; assert json.load(sys.stdin)[0]["Os"] == "linux"' <<<"$out"

prints team/tool lyr images --format '{{.Repository}}' 'team/*:v1*'
prints "" lyr images -q 'te*:v1*'
code 0 lyr rmi -f no-such-image
has "$err" no-such-image
code 1 lyr tag busybox Upper
has "$err" "lower case"
lacks "$err" "Invalid argument"

code 0 lyr rmi team/tool:v1.2
has "$out" "Untagged: team/tool:v1.2"
lacks "$out" Deleted
lyr create --name user busybox >/dev/null
lyr rmi busybox >/dev/null
code 1 lyr rmi lyr.test/busybox:latest
has "$err" user
lyr rm user >/dev/null
code 0 lyr rmi lyr.test/busybox:latest
has "$out" "Deleted: $id"
prints "" lyr images -q
code 1 lyr rmi busybox
matches "$err" "[Nn]o such image"
