#!/usr/bin/env bash
# npm run backup -- FILE [--session NAME | --all]: writes what a new machine needs into one encrypted file, also while Holdline runs.
# It is of one session, by default "default"; with --all of all sessions, and of the API keys that were made while it ran.
# FILE may be - for stdout; then run npm with -s. The passphrase is WHATSAPP_BACKUP_PASSPHRASE, or it is asked for.
# docs/backup.md says more.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

use_env_file
prepare backup
exec node --enable-source-maps dist/src/backup.js "$@"
