#!/usr/bin/env bash
# npm run test:chaos [-- --seconds S --seed N]: random faults, replayable by their seed, hit a cluster at work.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

prepare test
exec node --enable-source-maps dist/test/chaos/main.js "$@"
