#!/usr/bin/env bash
# npm run backup -- FILE: writes everything that a new machine needs into one encrypted file. docs/backup.md says more.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

prepare backup
exec node --enable-source-maps dist/src/backup.js "$@"
