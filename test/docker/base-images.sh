#!/usr/bin/env bash
# base-images.sh: builds the images that the Dockerfile and docker-compose.yml start from, under the same names, from
# Debian's packages and this machine's Node. It is for machines that reach Debian's archive and npm, but no image
# registry. All three share one file system. DOCKER_HOST selects the engine that gets them. Needs root and debootstrap.
#
# They lack some of the real images' content: entrypoint scripts, a locale, separate layers.
set -euo pipefail

readonly names=(node:20-bookworm-slim redis:7 caddy:2)

main() {
  local root
  root=$(mktemp -d "${TMPDIR:-/tmp}/holdline-base.XXXXXX")
  # Expanded now: the variable no longer exists when the trap runs.
  # shellcheck disable=SC2064
  trap "rm -rf --one-file-system '$root'" EXIT
  install_debian "$root"
  install_node "$root"
  trust_what_this_machine_trusts "$root"
  tar -C "$root" -c . | docker import - holdline-base >/dev/null
  image redis:7 '
    RUN mkdir /data && chown redis:redis /data
    WORKDIR /data
    CMD ["redis-server", "--protected-mode", "no"]'
  image caddy:2 '
    ENV XDG_CONFIG_HOME=/config XDG_DATA_HOME=/data
    RUN mkdir /config /data
    CMD ["caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]'
  image node:20-bookworm-slim '
    ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
    CMD ["node"]'
}

install_debian() {
  local root=$1 log mirror
  log=$(mktemp)
  mirror=$(sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -n 1)
  # As in Debian's own images. No fsync is needed: an interrupted build is discarded.
  mkdir -p "$root/etc/dpkg/dpkg.cfg.d"
  echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/docker-apt-speedup"
  debootstrap --variant=minbase --include=ca-certificates,redis-server,caddy bookworm "$root" \
    "${mirror:-http://deb.debian.org/debian}" >"$log" 2>&1 || {
    tail -n 5 "$log" >&2
    return 1
  }
  rm -f "$log"
  if [ -f /etc/apt/sources.list.d/debian.sources ]; then
    rm -f "$root/etc/apt/sources.list"
    cp /etc/apt/sources.list.d/debian.sources "$root/etc/apt/sources.list.d/"
  fi
  rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/archives/*.deb
}

install_node() {
  local root=$1 node modules library
  node=$(readlink -f "$(command -v node)")
  modules=$(readlink -f "$(command -v npm)")
  modules=${modules%/npm/bin/*}
  cp "$node" "$root/usr/local/bin/node"
  mkdir -p "$root/usr/local/lib/node_modules"
  cp -a "$modules/npm" "$root/usr/local/lib/node_modules/"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
  ln -s ../lib/node_modules/npm/bin/npx-cli.js "$root/usr/local/bin/npx"
  for library in $(ldd "$node" | grep -o '/[^ ]*'); do
    [ -e "$root$library" ] || install -D "$library" "$root$library"
  done
}

# Needed to reach a package registry behind a proxy with its own certificate.
trust_what_this_machine_trusts() {
  cp -L /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/ca-certificates.crt"
}

# image NAME 'LINES OF A DOCKERFILE'
image() {
  printf 'FROM holdline-base\n%s\n' "$2" | docker build -q -t "$1" - >/dev/null
}

if [ "${1:-}" = --names ]; then printf '%s\n' "${names[@]}"; else main; fi
