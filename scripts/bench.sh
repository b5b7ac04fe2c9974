#!/usr/bin/env bash
# npm run bench [-- --rounds N --only WORD --long --write]: how fast the product is and what it costs, as ratios.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

prepare test
exec node --enable-source-maps dist/test/bench/main.js "$@"
