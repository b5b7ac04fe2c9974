#!/usr/bin/env bash
# The one part of the setup that runs as root: installs the named Debian packages, those of them that this
# machine's package sources have. A Redis service that comes with redis-server stays off: Holdline runs a Redis
# of its own where it needs one, on a socket in its data directory.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive LC_ALL=C

apt() { apt-get -q -o DPkg::Lock::Timeout=120 "$@"; }

apt update || echo 'apt-get update failed; going on with the package lists at hand'

packages=()
for package in "$@"; do
  candidate=$(apt-cache policy "$package" | sed -n 's/^  Candidate: //p')
  if [ -n "$candidate" ] && [ "$candidate" != '(none)' ]; then packages+=("$package"); fi
done
[ ${#packages[@]} -gt 0 ] || exit 0

apt install -y --no-install-recommends --download-only "${packages[@]}"

# From here on an interruption would leave packages half installed.
trap '' INT TERM HUP

had_redis=$(dpkg-query -W -f '${db:Status-Status}' redis-server 2>/dev/null || true)

# How Debian is told not to start the services that it installs: we came for two programs. An answer that the
# machine's owner gave stands.
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
