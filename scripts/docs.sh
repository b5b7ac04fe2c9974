#!/usr/bin/env bash
# npm run docs: writes the tables of the documentation that are made from the table of operations.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

no_arguments "$@"
prepare build
exec node --enable-source-maps dist/test/docs/main.js
