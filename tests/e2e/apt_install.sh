# SPDX-License-Identifier: Apache-2.0
# apt installs a package with the host's network, and the package is there when started again.
getent hosts "$(sed -nE 's|^[^#]*https?://([^/:]+).*|\1|p; s|^URIs: *https?://([^/:]+).*|\1|p' \
  /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -n 1)" >/dev/null ||
  skip "no network to install from"
load debian
# The archive, proxy and certificates of this machine, as its own apt uses them.
volumes=()
for path in /etc/apt /etc/ssl/certs /usr/share/ca-certificates /usr/local/share/ca-certificates \
  /etc/resolv.conf /etc/hosts; do
  [ ! -e $path ] || volumes+=(-v "$path:$path:ro")
done
# With one id apt cannot become its own user for downloads.
options=
[ "$LYR_MODE" != single ] || options="-o APT::Sandbox::User=root"
install='apt-get $options update -qq &&
  apt-get $options install -y -qq --no-install-recommends hello >/dev/null 2>&1; hello'
code 0 lyr run --name w --network host -e options="$options" "${volumes[@]}" \
  debian bash -c "$install"
same "$out" "Hello, world!"
code 0 lyr diff w
grep -qx 'A /usr/bin/hello' <<<"$out" || fail "diff does not show /usr/bin/hello"
code 0 lyr start -a w
has "$out" "Hello, world!"
