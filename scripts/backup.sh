#!/usr/bin/env bash
# npm run backup -- FILE: writes everything that a new machine needs into one encrypted file, also while Holdline runs.
# FILE may be - for stdout; then run npm with -s. The passphrase is WHATSAPP_BACKUP_PASSPHRASE, or it is asked for.
# docs/backup.md says more.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

use_env_file
prepare backup
exec node --enable-source-maps dist/src/backup.js "$@"
