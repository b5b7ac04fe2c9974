#!/usr/bin/env bash
# npm run restore -- FILE [--session NAME] [--replace | --settings NEWFILE]: restores a file of npm run backup, while Holdline is stopped.
# With --session it restores only this session of a file of all.
# FILE may be - for stdin. With --replace it replaces the login that is here. With --settings it only writes the settings of the
# old machine to a new file.
# docs/backup.md says more.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

use_env_file
prepare backup
exec node --enable-source-maps dist/src/restore.js "$@"
