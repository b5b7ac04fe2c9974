#!/usr/bin/env bash
# npm run demo: runs the product against a local stand-in for WhatsApp Web, with a page that is the phone.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

prepare demo
exec node --enable-source-maps dist/test/demo/main.js "$@"
