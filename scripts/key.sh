#!/usr/bin/env bash
# npm run key -- NAME read|send|admin [SESSION,SESSION,…]: makes an API key, and prints it once, with its entry for WHATSAPP_API_KEYS.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

read_env_file WHATSAPP_INSTALL
prepare key
exec node --enable-source-maps dist/src/key.js "$@"
