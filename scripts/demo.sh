#!/usr/bin/env bash
# npm run demo [-- --port N]: runs the product against a local stand-in for WhatsApp Web, with a page that is the phone.
# It listens on the port N (WHATSAPP_MCP_PORT, or 8790), and its phone on N + 1. Its data are deleted at its end.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

use_env_file WHATSAPP_INSTALL WHATSAPP_CHROME_EXECUTABLE WHATSAPP_BROWSER
prepare demo
exec node --enable-source-maps dist/test/demo/main.js "$@"
