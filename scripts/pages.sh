#!/usr/bin/env bash
# npm run pages: serves every page of the product in every state, on http://127.0.0.1:8799/ (PORT sets another port).
# After each change of the sources it builds and serves again. Ends with Ctrl-C.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

no_arguments "$@"
prepare build
# In the background, so that a signal to this script ends both.
node node_modules/typescript/bin/tsc -p tsconfig.json --watch --preserveWatchOutput &
compiler=$!
node --watch dist/test/pages/main.js &
server=$!
trap 'kill "$compiler" "$server" 2>/dev/null || true' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
wait "$server"
