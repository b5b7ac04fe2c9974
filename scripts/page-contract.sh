#!/usr/bin/env bash
# npm run page-contract -- [--json] [--live [--write FILE]]: checks whether WhatsApp Web's page still has what Holdline
# uses. Installs nothing except the npm packages.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

use_env_file
prepare page-contract
exec node --enable-source-maps dist/src/page-contract.js "$@"
