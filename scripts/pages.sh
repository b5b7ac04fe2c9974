#!/usr/bin/env bash
# npm run pages: serves every page of the product in every state, on http://127.0.0.1:8799/ (PORT sets another port), and builds
# and serves again after each change of the sources. Ends with Ctrl-C.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

case ${1:-} in
  '') ;;
  -h | --help)
    echo 'npm run pages: every page in every state, on http://127.0.0.1:8799/ (or PORT)'
    exit 0
    ;;
  *)
    say "npm run pages takes no argument, and this is '$1'"
    exit 64
    ;;
esac

prepare http
node_modules/.bin/tsc -p tsconfig.json --watch --preserveWatchOutput &
trap 'kill "$!" 2>/dev/null || true' EXIT
node --watch dist/test/pages/main.js
