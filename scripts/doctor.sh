#!/usr/bin/env bash
# npm run doctor [-- all|http|supervisor] [--json]: what this machine lacks is what it is to find, so nothing is installed
# but the npm packages.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

prepare doctor
exec node --enable-source-maps dist/src/doctor.js "$@"
