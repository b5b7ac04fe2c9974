#!/usr/bin/env bash
# npm start [-- all|http|supervisor]: runs the product, without a role all of it. Installs what is missing first.
# The settings are environment variables, and those in .env; .env.example has all of them.

# Every step from npm on is an exec, so a signal to the process that npm started reaches node itself, once.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

if [ $# -gt 1 ]; then refuse_call "one role at a time, not '$*'"; fi
role=${1:-all}
case $role in
  all | http | supervisor) ;;
  *) refuse_call "there is no role '$role'" ;;
esac
use_env_file
if [ "$role" != all ] && [ -z "${REDIS_URL:-}" ]; then
  refuse "the role $role needs a Redis that all parts share: set REDIS_URL (redis://host:6379), or start the role all, which brings its own"
fi
prepare "$role"
exec node --enable-source-maps dist/src/main.js "$role"
