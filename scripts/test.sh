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

# More than the processors, because most tests wait most of the time: for locks to lapse, for browsers. These files take
# the longest; they are first, the longest first, so that none is left over at the end with a processor idle.
readonly concurrency=3
readonly longest_first=(
  faults/whatsapp e2e/credentials faults/supervisor faults/browser faults/redis faults/fresh-login faults/shipped-timing
  e2e/life e2e/qr-page-live faults/takeover e2e/replicas e2e/send-faults e2e/access-pages integration/whatsapp-web-login
  e2e/recycling faults/snapshots e2e/commands e2e/qr-page integration/whatsapp-web-faults faults/thread
)

main() {
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
  node --enable-source-maps --test --test-concurrency="$concurrency" --test-timeout="$file_timeout_ms" \
    --test-reporter=spec --test-reporter-destination=stdout \
    --test-reporter=tap --test-reporter-destination="$tap" "${files[@]}" || code=$?
  count "$tap" "$code"
  rm -f "$tap"
}

# The compiled file of each test source; a compiled file alone is not a test.
test_files() {
  find test/unit test/integration test/faults test/e2e -name '*.test.ts' | LC_ALL=C sort |
    awk -v longest="${longest_first[*]}" -v parts="$*" '
      BEGIN { ranks = split(longest, file, " "); wanted = split(parts, part, " ") }
      {
        is_wanted = !wanted
        for (i = 1; i <= wanted; i++) if (index($0, part[i])) is_wanted = 1
        if (!is_wanted) next
        rank = ranks + 1
        for (i = 1; i <= ranks; i++) if ($0 == "test/" file[i] ".test.ts") rank = i
        sub(/ts$/, "js")
        print rank, "dist/" $0
      }' | sort -s -n -k 1,1 | cut -d ' ' -f 2
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
