#!/usr/bin/env bash
# npm run doctor [-- all|http|supervisor] [--json]: checks what this machine lacks. So it installs nothing except
# the npm packages.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

read_env_file
prepare doctor
HOLDLINE_ENV_FILE=$env_file_summary exec node --enable-source-maps dist/src/doctor.js "$@"
