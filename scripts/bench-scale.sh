#!/usr/bin/env bash
# npm run bench:scale [-- --sessions N] [--supervisors N] [--only scripted|real] [--write]: many sessions on many supervisors.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

prepare test
exec node --enable-source-maps dist/test/bench/scale.js "$@"
