#!/usr/bin/env bash
# npm run key -- NAME SCOPE: makes an API key, and prints it once, with its entry for WHATSAPP_API_KEYS.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

prepare key
exec node --enable-source-maps dist/src/key.js "$@"
