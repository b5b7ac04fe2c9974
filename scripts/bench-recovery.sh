#!/usr/bin/env bash
# npm run bench:recovery [-- --rounds N] [--only WORD] [--write]: times of recovery, compared with bare whatsapp-web.js.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

prepare test
exec node --enable-source-maps dist/test/bench/recovery.js "$@"
