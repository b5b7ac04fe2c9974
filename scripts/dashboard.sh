#!/usr/bin/env bash
# npm run test:dashboard: checks the queries of the Grafana dashboard with a real Prometheus that scrapes the product.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

prepare test
exec node --enable-source-maps dist/test/dashboard/main.js
