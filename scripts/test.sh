#!/usr/bin/env bash
# npm test [-- PART_OF_A_PATH...]: installs what is missing, builds, runs the tests of which a path contains one
# of the parts (without parts: all), and ends with the plain line "N passed, N failed".
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

# Node 20 applies --test-timeout to a whole file, and kills it: this is what a file that hangs may cost.
file_timeout_ms=300000
# Every state and the long outages: npm run test:faults.
if [ "${HOLDLINE_FAULTS:-}" = all ]; then file_timeout_ms=5400000; fi
readonly file_timeout_ms

passed=0
failed=0

main() {
  prepare test
  run_tests 2 unit integration "$@"
  # These wait more than they compute (two at a time leave most of two cores idle): for locks to lapse, for browsers.
  run_tests 3 faults e2e "$@"
  if [ $((passed + failed)) = 0 ]; then
    say "no test file's path contains: $*"
    exit 64
  fi
  printf '%s passed, %s failed\n' "$passed" "$failed"
  [ "$failed" = 0 ]
}

# run_tests CONCURRENCY FOLDER FOLDER [PART...]
run_tests() {
  local concurrency=$1 folders=("test/$2" "test/$3") files=() tap code=0
  shift 3
  while IFS= read -r file; do files+=("$file"); done < <(test_files "${folders[@]}" -- "$@")
  [ ${#files[@]} -gt 0 ] || return 0
  tap=$(mktemp "${TMPDIR:-/tmp}/holdline-test.XXXXXX")
  node --enable-source-maps --test --test-concurrency="$concurrency" --test-timeout="$file_timeout_ms" \
    --test-reporter=spec --test-reporter-destination=stdout \
    --test-reporter=tap --test-reporter-destination="$tap" "${files[@]}" || code=$?
  count "$tap" "$code"
  rm -f "$tap"
}

# The compiled file of each test source; a compiled file alone is not a test. Backwards: the longest come first then.
test_files() {
  local folders=() source part
  while [ "$1" != -- ]; do
    if [ -d "$1" ]; then folders+=("$1"); fi
    shift
  done
  shift
  [ ${#folders[@]} -gt 0 ] || return 0
  find "${folders[@]}" -name '*.test.ts' | LC_ALL=C sort -r | while IFS= read -r source; do
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
  local tap=$1 code=$2 run_passed run_failed
  read -r run_passed run_failed < <(awk '
    /^# pass [0-9]+$/ { passed = $3 }
    /^# fail [0-9]+$/ { failed = $3 }
    /^# cancelled [0-9]+$/ { cancelled = $3 }
    END { print passed + 0, failed + cancelled }' "$tap")
  if [ "$code" != 0 ] && [ "$run_failed" = 0 ]; then run_failed=1; fi
  passed=$((passed + run_passed))
  failed=$((failed + run_failed))
}

main "$@"
