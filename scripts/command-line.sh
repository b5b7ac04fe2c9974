# What every script says and refuses in the same way. setup.sh sources it. `script` is the path of the script that runs;
# its first comment is what --help prints, and names every option that it takes.

say() { printf 'holdline: %s\n' "$*" >&2; }

refuse() {
  say "$*"
  exit 78
}

# refuse_call WHAT: the script was called wrongly.
refuse_call() {
  say "$*: $(usage)"
  exit 64
}

no_arguments() { if [ $# -gt 0 ]; then refuse_call "it takes no argument, but was given '$*'"; fi; }

help_text() { awk 'NR > 1 && !/^#/ { exit } NR > 1 { sub(/^# ?/, ""); print }' "$script"; }

# Up to the colon: `npm run doctor [-- all|http|supervisor] [--json]`.
usage() { help_text | sed -n '1s/: .*//p'; }

check_options() {
  local argument options
  for argument in "$@"; do
    case $argument in
      -h | --help)
        help_text
        exit 0
        ;;
    esac
  done
  options=" $(help_text | grep -oE -- '(^|[^-[:alnum:]])--[a-z][-a-z]*' | sed 's/^[^-]*//' | tr '\n' ' ' || true)"
  for argument in "$@"; do
    if [[ $argument == -?* && $options != *" ${argument%%=*} "* ]]; then
      refuse_call "there is no option ${argument%%=*}"
    fi
  done
}

check_options "$@"
