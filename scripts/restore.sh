#!/usr/bin/env bash
# npm run restore -- FILE: restores such a file. docs/backup.md says more.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

prepare backup
exec node --enable-source-maps dist/src/restore.js "$@"
