#!/usr/bin/env bash
# npm run bench [-- --rounds N] [--only WORD] [--long] [--write]: speed and cost of the product, as ratios.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

prepare test
exec node --enable-source-maps dist/test/bench/main.js "$@"
