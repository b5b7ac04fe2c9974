#!/usr/bin/env bash
# npm run check: checks formatting, lint rules, types and unused code, as CI does. Changes no file.
# npm run format mends the formatting and what else can be mended by itself.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

no_arguments "$@"
prepare packages
node_modules/.bin/biome ci .
node_modules/.bin/tsc -p tsconfig.json --noEmit
node_modules/.bin/knip
exec node_modules/.bin/knip --config knip.src.json --include files,exports,types
