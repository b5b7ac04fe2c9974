#!/usr/bin/env bash
# npm start [-- all|http|supervisor]: prepares the clone for the role, then becomes the product. Every step
# from npm on is an exec, so a signal to the process that npm started reaches node itself, once.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

usage='npm start [-- all|http|supervisor] (without a role: all)'
if [ $# -gt 1 ]; then
  say "one role at a time, not '$*': $usage"
  exit 64
fi
role=${1:-all}
case $role in
  all) ;;
  http | supervisor)
    [ -n "${REDIS_URL:-}" ] ||
      refuse "the role $role needs a Redis that all parts share: set REDIS_URL (redis://host:6379), or start the role all, which brings its own"
    ;;
  -h | --help)
    echo "$usage"
    exit 0
    ;;
  *)
    say "there is no role '$role': $usage"
    exit 64
    ;;
esac

prepare "$role"
exec node --enable-source-maps dist/src/main.js "$role"
