#!/usr/bin/env bash
# with-engine.sh COMMAND...: runs it where a Docker engine of its own answers (DOCKER_HOST), with the images that the
# Dockerfile and docker-compose.yml start from, and leaves nothing of either. Needs root, dockerd and slirp4netns.
#
# Engine, containers and command have their own namespaces. No address comes or goes on this machine's network: every
# Chromium on it would break off what it loads (net::ERR_NETWORK_CHANGED). What is in there ends with the first process in
# there, so an end by force leaves nothing either; the way out for packages is a process too.
#
# Exit codes: the command's, and 69 where no engine can run here: one line says why.
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
  # The network of this machine, as a descriptor for the one process in there that needs it.
  exec 8</proc/self/ns/net
  # The input is named because a command in the background has none otherwise.
  setpriv --pdeathsig KILL -- unshare "${namespaces[@]}" -- bash test/docker/with-engine.sh --inside "$own" "$@" <&0 &
  space=$!
  exec 8<&-
  wait "$space"
}

remove() {
  local first
  # Its one child is the first process in there, which is gone when all the others are. Without one it is over.
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
  # What removes containers of tests that were killed is an image that cannot be pulled; here all goes in the end.
  export TESTCONTAINERS_RYUK_DISABLED=true
  TMPDIR=$own bash test/docker/base-images.sh || unavailable 'the base images cannot be made (see above)'
  "$@"
}

# The way out: a process that speaks TCP for this network on the other. It also brings up the loopback.
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

# until_true TIMES COMMAND...: five times a second.
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
