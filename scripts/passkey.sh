#!/usr/bin/env bash
# npm run passkey -- --url URL [--session NAME] [--key KEY] [--profile DIR] [--browser PATH]: gives WhatsApp your passkey, on your own desktop.
#
#   --url URL        the server, like https://gateway.example
#   --session NAME   the session; by default "default"
#   --key KEY        its admin key. Other users of this computer can see it: rather set HOLDLINE_KEY
#   --profile DIR    a profile of the browser, which is kept. Not its default one: Chrome lets no program control that.
#                    Without it: a new profile, which is deleted at the end
#   --browser PATH   the Chrome, Chromium or Edge to start
#
# It waits until WhatsApp asks for a passkey, and shows a button in WhatsApp Web. docs/passkey.md says more.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

read_env_file WHATSAPP_INSTALL WHATSAPP_CHROME_EXECUTABLE
# With a browser that is named, none has to be installed.
case " $* " in
  *' --browser'*) prepare key ;;
  *) prepare passkey ;;
esac
exec node --enable-source-maps dist/src/passkey.js "$@"
