#!/usr/bin/env bash
# npm run test:docker: builds the image, runs docker-compose.yml with it against the stand-in for WhatsApp, and a choice
# of the integration tests on Redis in a container. Uses the Docker engine that answers; where none does, and this is
# root on Debian, starts one of its own for the time (installed if missing), with images made here, and removes it.
#
# Exit codes: 0, 1, and 69 where no engine can run here: one line says why.
source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/setup.sh"

# What stops, loses and freezes Redis, and what runs scripts in it.
readonly on_containers=(integration/session-store integration/http-outage integration/supervisor-data-loss)

own=''

main() {
  prepare http
  if docker version >/dev/null 2>&1; then
    find_compose || unavailable 'docker answers, but neither docker compose nor docker-compose is there'
  else
    start_own_engine
  fi
  quietly 'the build of the image' docker build -t holdline:local .
  say "the image has $(($(docker image inspect -f '{{.Size}}' holdline:local) / 1000000)) MB"
  HOLDLINE_COMPOSE=$compose node --enable-source-maps --test --test-timeout=600000 dist/test/docker/stack.test.js
  HOLDLINE_TEST_REDIS=docker bash scripts/test.sh "${on_containers[@]}"
}

unavailable() {
  say "no Docker engine can run here: $*"
  exit 69
}

find_compose() {
  if docker compose version >/dev/null 2>&1; then
    compose='docker compose'
  else
    compose=docker-compose
    command -v docker-compose >/dev/null
  fi
}

# --- An engine of our own -----------------------------------------------------------------------------------------

start_own_engine() {
  is_root || unavailable 'none answers, and it takes root to start one'
  install_engine
  own=$(mktemp -d /var/tmp/holdline-docker.XXXXXX)
  forwarding=$(cat /proc/sys/net/ipv4/ip_forward)
  iptables-save >"$own/iptables" 2>/dev/null || unavailable 'iptables does not work on this machine'
  trap remove_own_engine EXIT
  export DOCKER_HOST=unix://$own/socket DOCKER_CONFIG=$own/config
  dockerd --data-root "$own/data" --exec-root "$own/exec" --pidfile "$own/pid" -H "$DOCKER_HOST" >"$own/log" 2>&1 &
  engine=$!
  local patience=100
  until docker version >/dev/null 2>&1; do
    if ! kill -0 "$engine" 2>/dev/null || ((--patience == 0)); then
      unavailable "dockerd does not start: $(tail -n 1 "$own/log" | cut -c 1-300)"
    fi
    sleep 0.2
  done
  # What removes containers of tests that were killed is an image that cannot be pulled; here all goes in the end.
  export TESTCONTAINERS_RYUK_DISABLED=true
  local began=$SECONDS
  bash test/docker/base-images.sh || unavailable 'the base images cannot be made (see above)'
  say "base images made in $((SECONDS - began)) s"
  find_compose
}

install_engine() {
  local program packages=()
  for program in dockerd:docker.io docker-compose:docker-compose debootstrap:debootstrap; do
    command -v "${program%:*}" >/dev/null || packages+=("${program#*:}")
  done
  [ ${#packages[@]} -gt 0 ] || return 0
  { can_use_apt && [ "${WHATSAPP_INSTALL:-auto}" != never ]; } || unavailable "missing, and not to be installed: ${packages[*]}"
  say "installing ${packages[*]} with apt-get"
  quietly apt-get bash scripts/install-packages.sh "${packages[@]}" || unavailable 'apt-get cannot install it'
  command -v dockerd >/dev/null || unavailable 'apt-get knows no docker.io'
}

remove_own_engine() {
  docker ps -aq 2>/dev/null | xargs -r docker rm -f >/dev/null 2>&1 || true
  kill "$engine" 2>/dev/null || true
  wait "$engine" 2>/dev/null || true
  ip link delete docker0 2>/dev/null || true
  iptables-restore <"$own/iptables" || true
  echo "$forwarding" >/proc/sys/net/ipv4/ip_forward
  umount -R "$own"/exec/netns/* 2>/dev/null || true
  rm -rf --one-file-system "$own"
}

main "$@"
