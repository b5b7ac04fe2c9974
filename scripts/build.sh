#!/usr/bin/env bash
# npm run build: installs the npm packages if they are missing, and compiles src and test to dist.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

no_arguments "$@"
read_env_file WHATSAPP_INSTALL
prepare build
