#!/usr/bin/env bash
# npm run import-session -- DIR [--session NAME] [--session-id ID] [--not-in-use]: takes over the login of another whatsapp-web.js program.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

use_env_file
prepare http
exec node --enable-source-maps dist/src/import-session.js "$@"
