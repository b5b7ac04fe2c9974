#!/usr/bin/env bash
# npm test [-- PART_OF_A_PATH...]: installs what is missing, builds, runs the tests of which a path contains one
# of the parts (without parts: all), and ends with the plain line "N passed, N failed".
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

main() {
  local passed failed
  prepare test
  run_tests "$@"
  printf '%s passed, %s failed\n' "$passed" "$failed"
  [ "$failed" = 0 ]
}

run_tests() {
  local files=() tap code=0
  while IFS= read -r file; do files+=("$file"); done < <(test_files "$@")
  if [ ${#files[@]} = 0 ]; then
    say "no test file's path contains: $*"
    exit 64
  fi
  tap=$(mktemp "${TMPDIR:-/tmp}/holdline-test.XXXXXX")
  node --enable-source-maps dist/test/run.js "$tap" "${files[@]}" || code=$?
  count "$tap" "$code"
  rm -f "$tap"
}

# The compiled file of each test source; a compiled file alone is not a test.
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

# The totals at the end of the report; a run that did not get so far, or failed otherwise, is one failure.
count() {
  local tap=$1 code=$2
  read -r passed failed < <(awk '
    /^# pass [0-9]+$/ { passed = $3 }
    /^# fail [0-9]+$/ { failed = $3 }
    /^# cancelled [0-9]+$/ { cancelled = $3 }
    END { print passed + 0, failed + cancelled }' "$tap")
  if [ "$code" != 0 ] && [ "$failed" = 0 ]; then failed=1; fi
}

main "$@"
