#!/usr/bin/env bash
# The only part of the setup that runs as root. It installs the named Debian packages, as far as this machine's package
# sources have them. It leaves the Redis service of redis-server off: Holdline starts a Redis of its own if it needs
# one, on a socket in its data directory.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive LC_ALL=C

apt() { apt-get -q -o DPkg::Lock::Timeout=120 "$@"; }

apt update || echo 'apt-get update failed; using the package lists that are here'

packages=()
for package in "$@"; do
  candidate=$(apt-cache policy "$package" | sed -n 's/^  Candidate: //p')
  if [ -n "$candidate" ] && [ "$candidate" != '(none)' ]; then packages+=("$package"); fi
done
[ ${#packages[@]} -gt 0 ] || exit 0

apt install -y --no-install-recommends --download-only "${packages[@]}"

# An interruption from here on would leave packages half installed.
trap '' INT TERM HUP

had_redis=$(dpkg-query -W -f '${db:Status-Status}' redis-server 2>/dev/null || true)

# This tells Debian not to start the services that it installs: only the programs are needed. An existing policy of the
# machine's owner stays.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi

apt install -y --no-install-recommends "${packages[@]}"

if [ "$had_redis" != installed ] && [ -e /etc/init.d/redis-server ]; then
  service redis-server stop || true
  update-rc.d redis-server disable || true
fi
