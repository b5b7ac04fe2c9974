#!/usr/bin/env bash
# Checks the alert rules and runs their tests with promtool, and the queries of the dashboard with prometheus, both from
# Debian's package prometheus (installed if it is not there; its service stays off).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

as_root=()
if [ "$(id -u)" != 0 ]; then as_root=(sudo -n); fi
if ! command -v promtool >/dev/null; then
  echo 'installing prometheus with apt-get'
  ${as_root[@]+"${as_root[@]}"} bash scripts/install-packages.sh prometheus >/dev/null
fi

(
  cd deploy/prometheus
  promtool check config prometheus.yml
  promtool test rules holdline.rules.test.yml
)
timeout --kill-after=10 180 npm run --silent test:dashboard
