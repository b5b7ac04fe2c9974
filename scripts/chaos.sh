#!/usr/bin/env bash
# npm run test:chaos [-- --seconds S] [--seed N] [--only WORD] [--plan]: random faults, repeatable by their seed, in a
# cluster under load. --plan prints them only.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

prepare test
exec node --enable-source-maps dist/test/chaos/main.js "$@"
