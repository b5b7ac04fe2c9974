#!/usr/bin/env bash
# npm run test:attack [-- WORD]: repeats over loopback what an attacker did, and says what the owner noticed of it.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

prepare test
exec node --enable-source-maps dist/test/attack/main.js "$@"
