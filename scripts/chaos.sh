#!/usr/bin/env bash
# npm run test:chaos [-- --seconds S --seed N]: random faults, repeatable by their seed, in a cluster under load.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

prepare test
exec node --enable-source-maps dist/test/chaos/main.js "$@"
