#!/usr/bin/env bash
# npm run doctor [-- all|http|supervisor] [--json]: checks what this machine lacks. So it installs nothing except
# the npm packages.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

prepare doctor
exec node --enable-source-maps dist/src/doctor.js "$@"
