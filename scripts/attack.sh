#!/usr/bin/env bash
# npm run test:attack [-- WORD]: repeats attacks over loopback, and says what the owner noticed of them.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

prepare test
exec node --enable-source-maps dist/test/attack/main.js "$@"
