#!/usr/bin/env bash
# npm run format [-- PATH...]: formats the files, and mends what the linter can mend by itself.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

prepare packages
exec node_modules/.bin/biome check --write "${@:-.}"
