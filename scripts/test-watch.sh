#!/usr/bin/env bash
# npm run test:watch -- PART_OF_A_PATH...: runs the tests whose path contains one of the parts, and again after each change
# of a file in src or test. Ctrl-C ends it.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

[ $# -gt 0 ] || refuse_call 'name the tests to run again and again'
prepare test
began=$(mktemp "${TMPDIR:-/tmp}/holdline-watch.XXXXXX")
trap 'rm -f "$began"' EXIT
trap 'exit 130' INT TERM

has_changed() { [ "$(source_names)" != "$names" ] || [ -n "$(find src test -type f -newer "$began" -print -quit)" ]; }

while true; do
  touch "$began"
  names=$(source_names)
  bash scripts/test.sh "$@" || true
  say 'waiting for a change in src or test; Ctrl-C ends this'
  until has_changed; do sleep 0.3; done
done
