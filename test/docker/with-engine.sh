#!/usr/bin/env bash
# with-engine.sh COMMAND...: starts a Docker engine, builds the images that the Dockerfile and docker-compose.yml start
# from, runs the command with DOCKER_HOST set to that engine, and leaves nothing behind. Needs root, dockerd and slirp4netns.
#
# Engine, containers and command have their own namespaces. So no address appears or disappears on this machine's network:
# that would make every Chromium on it abort its loads (net::ERR_NETWORK_CHANGED). All processes in the namespaces end with
# the first one there, so a forced end leaves nothing either. The network connection to the outside is one of them.
#
# Exit codes: the command's, and 69 if no engine can run here: one line says why.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

readonly namespaces=(--net --mount --pid --fork --kill-child --mount-proc)

main() {
  local complaint
  complaint=$(unshare "${namespaces[@]}" true 2>&1) || unavailable "$complaint"
  own=$(mktemp -d /var/tmp/holdline-docker.XXXXXX)
  trap remove EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  # A descriptor of this machine's network namespace, for the one process inside that needs it.
  exec 8</proc/self/ns/net
  # `<&0`: a background command has no input otherwise.
  setpriv --pdeathsig KILL -- unshare "${namespaces[@]}" -- bash test/docker/with-engine.sh --inside "$own" "$@" <&0 &
  space=$!
  exec 8<&-
  wait "$space"
}

remove() {
  local first
  # Its only child is the first process inside, which ends after all the others. No child: all have ended.
  first=$(cat "/proc/$space/task/$space/children" 2>/dev/null) || true
  if [ -n "$first" ]; then kill -KILL "${first% }"; fi
  wait "$space" 2>/dev/null || true
  rm -rf --one-file-system "$own"
}

inside() {
  own=$1
  shift
  connect
  start_engine
  # Ryuk, which removes containers of killed tests, is an image that cannot be pulled. Here everything ends anyway.
  export TESTCONTAINERS_RYUK_DISABLED=true
  TMPDIR=$own bash test/docker/base-images.sh || unavailable 'the base images cannot be made (see above)'
  "$@"
}

# Connects this network namespace to the outside: slirp4netns relays its traffic. It also brings up the loopback.
connect() {
  nsenter --net=/proc/self/fd/8 slirp4netns --netns-type=path --configure --mtu=65520 --disable-host-loopback \
    --ready-fd=7 "/proc/$$/ns/net" tap0 7>"$own/connected" >"$own/network.log" 2>&1 &
  until_true 50 test -s "$own/connected" || unavailable "no network for containers: $(tail -n 1 "$own/network.log")"
  exec 8<&-
}

start_engine() {
  export DOCKER_HOST=unix://$own/socket DOCKER_CONFIG=$own/config
  dockerd --data-root "$own/data" --exec-root "$own/exec" --pidfile "$own/pid" --dns 10.0.2.3 -H "$DOCKER_HOST" \
    >"$own/engine.log" 2>&1 &
  engine=$!
  until_true 100 is_up_or_dead
  docker version >/dev/null 2>&1 || unavailable "dockerd does not start: $(last_words | cut -c 1-300)"
}

last_words() { grep -m 1 '^panic: ' "$own/engine.log" || tail -n 1 "$own/engine.log"; }

is_up_or_dead() { docker version >/dev/null 2>&1 || ! kill -0 "$engine" 2>/dev/null; }

# until_true TIMES COMMAND...: tries five times a second.
until_true() {
  local patience=$1
  shift
  until "$@"; do
    ((--patience)) || return 1
    sleep 0.2
  done
}

unavailable() {
  echo "no Docker engine can run here: $*" >&2
  exit 69
}

if [ "${1:-}" = --inside ]; then
  shift
  inside "$@"
else
  main "$@"
fi
