#!/usr/bin/env bash
# deploy/holdline.service as systemd reads it, with this machine's Node in its place. Exit code 69 where there is no
# systemd-analyze: one line says so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if ! command -v systemd-analyze >/dev/null; then
  echo 'deploy/holdline.service is not checked: systemd-analyze is not on this machine'
  exit 69
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
sed "s|/usr/bin/node|$(command -v node)|" deploy/holdline.service >"$dir/holdline.service"
# It complains of what it does not understand without failing for it.
complaints=$(systemd-analyze verify "$dir/holdline.service" 2>&1) || { echo "$complaints"; exit 1; }
if grep -F "$dir/holdline.service" <<<"$complaints"; then exit 1; fi
