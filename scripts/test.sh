#!/usr/bin/env bash
# npm test [-- PART_OF_A_PATH...]: installs what is missing, builds, and runs the tests whose path contains one
# of the parts (without parts: all). Ends with the plain lines "skipped: N" (if any was), "flaky: N NAME..." and
# "N passed, N failed".
# npm run test:quick [-- PART_OF_A_PATH...]: the quick tests only (--quick), without a browser; test/runner/quick.ts lists
# them. npm run test:watch [-- PART_OF_A_PATH...]: again after each change. .env is not read.
# HOLDLINE_TEST_SECONDS=S: a failed file is run again only if it is sure to end within S s of the start of npm test.
# A flaky file failed, and passed when it was run again alone. test-results/flaky.txt has its output.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

main() {
  # In seconds: after `limit` no file is run again; a file that hangs is ended after `file_timeout`.
  local limit=${HOLDLINE_TEST_SECONDS:-1140} file_timeout=600 role=test quick='' files=()
  if [ "${HOLDLINE_FAULTS:-}" = all ]; then limit=14400 file_timeout=5400; fi
  if [ "${1:-}" = --quick ]; then
    shift
    limit=240 file_timeout=60 role=test-quick quick=--quick
  fi
  while IFS= read -r file; do files+=("$file"); done < <(test_files "$@")
  if [ ${#files[@]} = 0 ]; then
    say "no test file's path contains: $*"
    exit 64
  fi
  prepare "$role"
  exec node --enable-source-maps dist/test/run.js "--seconds-left=$((limit - SECONDS))" \
    --file-timeout "$file_timeout" $quick "${files[@]}"
}

# The compiled file of each test source. A compiled file without a source is not a test.
test_files() {
  local source part
  find test/unit test/integration test/faults test/e2e -name '*.test.ts' | LC_ALL=C sort | while IFS= read -r source; do
    for part in "${@:-}"; do
      if [[ $source == *"$part"* ]]; then
        printf 'dist/%s.js\n' "${source%.ts}"
        break
      fi
    done
  done
}

main "$@"
