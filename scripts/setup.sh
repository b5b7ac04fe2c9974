#!/usr/bin/env bash
# Makes a clone ready to run: the npm packages, a Redis server and a browser if the role needs them, and the build.
# Installs only what is missing, and says so. If nothing is missing, it takes a fraction of a second.
#
#   WHATSAPP_INSTALL=never   install nothing; say what is missing and how to get it, and exit with 78
#
# Exit codes: 64: called wrongly; 78: the machine or the configuration must be changed first; 1: an installation or the
# build failed.

# The other scripts source this one, which answers --help and refuses unknown options for them. Then they call
# `use_env_file`, if they run the product, and `prepare ROLE`. Run by itself, it prepares for everything.
set -euo pipefail
script=$(cd "$(dirname "${BASH_SOURCE[${#BASH_SOURCE[@]} - 1]}")" && pwd)/$(basename "${BASH_SOURCE[${#BASH_SOURCE[@]} - 1]}")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/command-line.sh
source scripts/env-file.sh

readonly node_minimum=20.18
readonly packages_stamp=node_modules/.holdline-lock
readonly build_stamp=dist/.holdline-build

# prepare all|http|supervisor|backup|demo|test|test-quick|key|doctor|page-contract|passkey|build|packages (packages: does not build)
prepare() {
  local role=$1
  check_node
  check_settings
  take_turn
  provide "$role"
  provide_headless_shell "$role"
  [ "$role" = packages ] || is_built || build
  end_turn
}

check_node() {
  local version
  version=$(node -p process.versions.node 2>/dev/null) ||
    refuse "Node $node_minimum or newer is needed, and there is no node on the PATH: install Node 20 or newer"
  [[ $version =~ ^([0-9]+)\.([0-9]+)\. ]]
  ((BASH_REMATCH[1] * 1000 + BASH_REMATCH[2] >= ${node_minimum%.*} * 1000 + ${node_minimum#*.})) ||
    refuse "Node $node_minimum or newer is needed, and this is Node $version: install a newer one"
}

check_settings() {
  case ${WHATSAPP_INSTALL:-auto} in
    auto | never) ;;
    *) refuse "WHATSAPP_INSTALL is '$WHATSAPP_INSTALL'; it must be never or auto" ;;
  esac
  case ${WHATSAPP_BROWSER:-chromium} in
    chromium | shell) ;;
    *) refuse "WHATSAPP_BROWSER is '$WHATSAPP_BROWSER'; it must be chromium or shell" ;;
  esac
}

# Two starts in one clone at the same time would overwrite each other's installation and build. The lock is on descriptor
# 9, so an installation that outlives this script still holds it.
take_turn() {
  command -v flock >/dev/null || return 0
  exec 9<package.json
  flock -n 9 && return
  say 'another start in this directory is installing or building; waiting until it is done'
  flock 9
}

end_turn() { exec 9<&-; }

# --- What the role needs ------------------------------------------------------------------------------------

provide() {
  local role=$1 needs_packages='' needs_redis='' needs_browser='' browser
  browser=$(browser_of "$role")
  has_packages || needs_packages=1
  if uses_redis_server "$role" && ! has_redis_server; then needs_redis=1; fi
  if uses_browser "$role"; then
    check_configured_browser
    find_browser || needs_browser=1
  fi
  [ -n "$needs_packages$needs_redis$needs_browser" ] || return 0
  if [ "${WHATSAPP_INSTALL:-auto}" = never ]; then refuse_to_install; fi
  # Checked before any download, because only the operator can solve it.
  if [ -n "$needs_redis" ] && ! can_use_apt; then
    say 'redis-server is missing and cannot be installed from here: that needs apt-get, and root or sudo without a password'
    refuse "$(how_to_get_redis)"
  fi
  if [ -n "$needs_packages" ]; then install_packages; fi
  if [ -n "$needs_redis$needs_browser" ]; then install_programs; fi
}

# chromium, or shell: its headless shell, if that is asked for. The tests and the owner's computer need the former.
browser_of() {
  case $1 in
    test | passkey) echo chromium ;;
    *) echo "${WHATSAPP_BROWSER:-chromium}" ;;
  esac
}

# One kind of browser more, which some tests try. They are skipped without it, so only CI installs it.
provide_headless_shell() {
  if [ "$1" != test ] || [ -z "${CI:-}" ] || ! is_root || ! can_use_apt; then return 0; fi
  if [ "${WHATSAPP_INSTALL:-auto}" = never ] || command -v chromium-headless-shell >/dev/null; then return 0; fi
  say 'installing chromium-headless-shell with apt-get, for the tests that try it'
  timeout 120 bash scripts/install-packages.sh chromium-headless-shell >/dev/null 2>&1 || say 'it cannot be installed; these tests are skipped'
}

uses_redis_server() {
  case $1 in
    all | backup) [ -z "${REDIS_URL:-}" ] ;;
    demo | test | test-quick) true ;;
    *) false ;;
  esac
}

uses_browser() {
  case $1 in
    http | key | backup | doctor | page-contract | build | packages | test-quick) false ;;
    # On other desktops the program looks where their browsers are, and says what to do if there is none.
    passkey) [ "$(uname -s)" = Linux ] && ! has_edge ;;
    *) true ;;
  esac
}

has_edge() { command -v microsoft-edge-stable >/dev/null; }

has_redis_server() { command -v redis-server >/dev/null; }

check_configured_browser() {
  local configured=${WHATSAPP_CHROME_EXECUTABLE:-} what='a Chromium or Chrome'
  [ "${WHATSAPP_BROWSER:-}" != shell ] || what='a headless shell'
  if [ -n "$configured" ] && ! is_program "$configured"; then
    refuse "WHATSAPP_CHROME_EXECUTABLE: $configured is not an executable file; name $what, or leave the variable out to have one found"
  fi
}

# A browser that puppeteer downloaded is not on the PATH, so the product gets it through the variable.
find_browser() {
  local name
  [ -z "${WHATSAPP_CHROME_EXECUTABLE:-}" ] || return 0
  for name in $(browser_names); do
    command -v "$name" >/dev/null && return
  done
  name=$(downloaded_browser)
  [ -n "$name" ] || return 1
  # It does not bring its libraries, as a system package does. If it does not start, prefer the system package.
  if ! starts "$name" && can_use_apt; then return 1; fi
  check_that_it_starts "$name"
  export WHATSAPP_CHROME_EXECUTABLE=$name
}

browser_names() {
  case $browser in
    shell) echo chromium-headless-shell chrome-headless-shell ;;
    *) echo chromium chromium-browser google-chrome-stable google-chrome ;;
  esac
}

browser_package() { if [ "$browser" = shell ]; then echo chromium-headless-shell; else echo chromium; fi; }
browser_name() { if [ "$browser" = shell ]; then echo "Chromium's headless shell"; else echo Chromium; fi; }
browser_download() { if [ "$browser" = shell ]; then echo chrome-headless-shell; else echo chrome; fi; }

downloaded_browser() {
  local cache=${PUPPETEER_CACHE_DIR:-${HOME:-/nonexistent}/.cache/puppeteer} file newest='' name
  name=$(browser_download)
  for file in "$cache/$name"/*/"$name"-*/"$name"; do
    if is_program "$file"; then newest=$file; fi
  done
  printf '%s' "$newest"
}

starts() { "$1" --version >/dev/null 2>&1 </dev/null; }

check_that_it_starts() {
  local complaint
  complaint=$("$1" --version 2>&1 >/dev/null </dev/null) ||
    refuse "the browser $1 does not start (${complaint##*: error while loading }): $(how_to_get_browser)"
}

is_program() { [ -f "$1" ] && [ -x "$1" ]; }

# --- Installing ---------------------------------------------------------------------------------------------

refuse_to_install() {
  say 'something is missing, and WHATSAPP_INSTALL=never forbids installing it:'
  if [ -n "$needs_packages" ]; then say '  npm packages: npm ci --include=dev'; fi
  if [ -n "$needs_redis" ]; then say "  redis-server: $(how_to_get_redis)"; fi
  if [ -n "$needs_browser" ]; then say "  a browser: $(how_to_get_browser)"; fi
  exit 78
}

how_to_get_redis() {
  local own=', or set REDIS_URL to a Redis of your own'
  case $role in all | backup) ;; *) own='' ;; esac
  printf '%s' "install Redis (apt-get install redis-server, dnf install redis, brew install redis)$own"
}

how_to_get_browser() {
  if [ "$browser" = shell ]; then
    printf '%s' "install Chromium's headless shell (apt-get install chromium-headless-shell), name one in WHATSAPP_CHROME_EXECUTABLE, or set WHATSAPP_BROWSER=chromium"
  else
    printf '%s' 'install Chromium (apt-get install chromium, dnf install chromium), or name one in WHATSAPP_CHROME_EXECUTABLE'
  fi
}

# The file that npm writes at the end of an installation counts too, because somebody may have run npm ci by hand.
has_packages() {
  if [ -f "$packages_stamp" ]; then
    [ "$(cat "$packages_stamp")" = "$(cksum <package-lock.json)" ]
  else
    [ -x node_modules/.bin/tsc ] && [ node_modules/.package-lock.json -nt package-lock.json ]
  fi
}

install_packages() {
  say 'installing the npm packages (npm ci)'
  quietly 'npm ci' npm ci --include=dev --no-audit --no-fund
  cksum <package-lock.json >"$packages_stamp"
}

can_use_apt() { command -v apt-get >/dev/null && { is_root || sudo -n true 2>/dev/null; }; }

is_root() { [ "$(id -u)" = 0 ]; }

install_programs() {
  if can_use_apt; then install_with_apt; fi
  if [ -n "$needs_redis" ] && ! has_redis_server; then
    refuse "apt-get knows no package redis-server: $(how_to_get_redis)"
  fi
  if [ -n "$needs_browser" ] && ! find_browser; then download_browser; fi
}

install_with_apt() {
  local packages=() names=() as_root=()
  if [ -n "$needs_redis" ]; then packages+=(redis-server) names+=(redis-server); fi
  if [ -n "$needs_browser" ]; then packages+=("$(browser_package)") names+=("$(browser_name)"); fi
  is_root || as_root=(sudo -n)
  local list
  list=$(printf ' and %s' "${names[@]}")
  say "installing ${list# and } with apt-get (missing on this machine; a minute or two)"
  quietly 'apt-get' ${as_root[@]+"${as_root[@]}"} bash scripts/install-packages.sh "${packages[@]}"
}

download_browser() {
  local options=()
  say "downloading a browser with puppeteer (no $(browser_name) on this machine, and apt-get cannot install it here)"
  if is_root && command -v apt-get >/dev/null; then options=(--install-deps); fi
  quietly 'the download of the browser' node_modules/.bin/puppeteer browsers install "$(browser_download)" \
    ${options[@]+"${options[@]}"} || refuse "$(how_to_get_browser)"
  if ! find_browser; then
    check_that_it_starts "$(downloaded_browser)"
    refuse "puppeteer's browser is not where it was expected: $(how_to_get_browser)"
  fi
}

# --- Building -----------------------------------------------------------------------------------------------

is_built() {
  [ -f "$build_stamp" ] && [ "$(source_names)" = "$(cat "$build_stamp")" ] &&
    [ -z "$(find src test tsconfig.json package-lock.json -type f -newer "$build_stamp" -print -quit)" ]
}

# -newer does not notice a deleted file.
source_names() { find src test -type f | LC_ALL=C sort | cksum; }

build() {
  say 'building'
  mkdir -p dist
  # The stamp has the time before the build, so that files saved during the build are built the next time.
  source_names >"$build_stamp.new"
  remove_stale_output
  quietly 'the build' node_modules/.bin/tsc -p tsconfig.json
  mv "$build_stamp.new" "$build_stamp"
}

# The compiler does not delete the output of deleted sources.
remove_stale_output() {
  local output source
  while IFS= read -r -d '' output; do
    source=${output#dist/}
    [ -f "${source%.js}.ts" ] || rm -f "$output" "$output.map"
  done < <(find dist -name '*.js' -print0)
}

# --- Running a command --------------------------------------------------------------------------------------

# quietly NAME COMMAND...: shows the command's output only if it fails. A failure ends the script, unless the caller
# checks the result. A signal is passed on to the command, and the script waits for its end.
quietly() {
  local name=$1 log child code=0 began=$SECONDS
  shift
  log=$(mktemp "${TMPDIR:-/tmp}/holdline-setup.XXXXXX")
  "$@" >"$log" 2>&1 </dev/null &
  child=$!
  trap 'give_up "$child" "$log" 130' INT
  trap 'give_up "$child" "$log" 143' TERM
  wait "$child" || code=$?
  trap - INT TERM
  if [ "$code" = 0 ]; then
    rm -f "$log"
    say "$name: done in $((SECONDS - began)) s"
    return
  fi
  excerpt "$log" >&2
  rm -f "$log"
  say "$name failed with exit code $code (its output is above)"
  return 1
}

# npm reports the error in its first lines, apt-get and the compiler in their last ones, puppeteer after its help.
excerpt() {
  awk '
    /^Error: / { count = 0 }
    { line[++count] = $0 }
    END {
      for (i = 1; i <= count; i++) {
        if (i <= 12 || i > count - 20) print "  | " line[i]
        else if (i == 13) print "  | ..."
      }
    }' "$1"
}

give_up() {
  local child=$1 log=$2 code=$3
  kill "$child" 2>/dev/null || true
  wait "$child" || true
  rm -f "$log"
  exit "$code"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  read_env_file WHATSAPP_INSTALL WHATSAPP_CHROME_EXECUTABLE WHATSAPP_BROWSER
  configured=${WHATSAPP_CHROME_EXECUTABLE:-}
  prepare test
  # What was found for the tests may be of another kind than what the supervisor needs.
  WHATSAPP_CHROME_EXECUTABLE=$configured
  prepare supervisor
fi
