#!/usr/bin/env bash
# npm run test:docker [-- --when-told]: builds the image, tests it with docker-compose.yml against the stand-in for
# WhatsApp, and runs some integration tests on Redis in a container. Uses the Docker engine that answers. If none does and
# this is root on Debian, it starts its own (installed if missing) in separate namespaces, with images built here.
#
#   --when-told   prepares everything, then waits for a line on its input, so that the slow part can run beside other tests
#
# Exit codes: 0, 1, and 69 if no engine can run here: one line says why.
source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/setup.sh"

# Tests that stop, empty and freeze Redis, and tests that run scripts in it.
readonly on_containers=(integration/platform/store/state-store integration/http/outage integration/supervisor/data-loss)

main() {
  prepare http
  if ! docker version >/dev/null 2>&1; then
    install_engine
    exec bash test/docker/with-engine.sh bash test/docker/run.sh "$@"
  fi
  find_compose
  # On the engine's network: a network for each build step would change the network of this machine.
  quietly 'the build of the image' docker build --network=host -t holdline:local .
  say "the image has $(($(docker image inspect -f '{{.Size}}' holdline:local) / 1000000)) MB"
  if [ "${1:-}" = --when-told ]; then wait_for_a_line; fi
  HOLDLINE_COMPOSE=$compose node --enable-source-maps --test --test-timeout=600000 dist/test/docker/stack.test.js
  HOLDLINE_TEST_REDIS=docker bash scripts/test.sh "${on_containers[@]}"
}

find_compose() {
  compose='docker compose'
  docker compose version >/dev/null 2>&1 && return
  compose=docker-compose
  command -v docker-compose >/dev/null || unavailable 'docker answers, but neither docker compose nor docker-compose is there'
}

install_engine() {
  local program packages=()
  is_root || unavailable 'none answers, and it takes root to start one'
  for program in dockerd:docker.io docker-compose:docker-compose debootstrap:debootstrap slirp4netns:slirp4netns; do
    command -v "${program%:*}" >/dev/null || packages+=("${program#*:}")
  done
  [ ${#packages[@]} -gt 0 ] || return 0
  { can_use_apt && [ "${WHATSAPP_INSTALL:-auto}" != never ]; } || unavailable "missing, and not to be installed: ${packages[*]}"
  say "installing ${packages[*]} with apt-get"
  # Only one start in this directory may install at a time.
  take_turn
  quietly apt-get bash scripts/install-packages.sh "${packages[@]}" || unavailable 'apt-get cannot install it'
  end_turn
  command -v dockerd >/dev/null || unavailable 'apt-get knows no docker.io'
}

unavailable() {
  say "no Docker engine can run here: $*"
  exit 69
}

wait_for_a_line() {
  say 'ready to test; waiting for a line'
  read -r || {
    say 'the input ended without one: nothing is tested'
    exit 1
  }
}

main "$@"
