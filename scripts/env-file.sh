# Reads .env in the project's directory, for the scripts that run the product. setup.sh sources it.
#
# Docker Compose reads the same file, and systemd reads its like. So only forms that all of them read in the same way are
# accepted: NAME=value, NAME='value' and NAME="value", comment lines, and a comment behind a value.

# read_env_file [NAME...]: exports the variables of the product in .env, or only those named. The environment takes
# precedence: a variable that it has, even empty, stays. Sets `env_file_summary`: names, never values.
# Exits with 78 if a line is wrong, and names all of them.
read_env_file() {
  local file=.env wanted=" $* " line name problem number=0
  local problems=() seen=' ' taken='' kept='' unused=''
  env_file_summary=''
  [ -e "$file" ] || [ -L "$file" ] || return 0
  if [ -d "$file" ] || [ ! -r "$file" ]; then
    refuse "$PWD/$file cannot be read: make it a file that this user may read, or remove it"
  fi
  while IFS= read -r line || [ -n "$line" ]; do
    number=$((number + 1)) problem=''
    line=${line%$'\r'}
    if [ "$number" = 1 ]; then line=${line#$'\xef\xbb\xbf'}; fi
    parse_env_line "$line"
    if [ -n "$name" ] && [[ $seen == *" $name "* ]]; then problem="sets $name again: keep one of the two lines"; fi
    if [ -n "$problem" ]; then
      problems+=("line $number of .env $problem")
      continue
    fi
    [ -n "$name" ] || continue
    seen+="$name "
    if ! is_product_variable "$name" || [[ $wanted != '  ' && $wanted != *" $name "* ]]; then
      unused+=", $name"
    elif [ -n "${!name+set}" ]; then
      kept+=", $name"
    elif [ -n "$value" ]; then
      export "$name=$value"
      taken+=", $name"
    fi
  done <"$file"
  if [ ${#problems[@]} -gt 0 ]; then
    for problem in "${problems[@]}"; do say "$problem"; done
    exit 78
  fi
  if [ -n "$taken" ]; then env_file_summary+="; from .env: ${taken#, }"; fi
  if [ -n "$kept" ]; then env_file_summary+="; in .env too, but taken from the environment: ${kept#, }"; fi
  if [ -n "$unused" ]; then env_file_summary+="; in .env, but not used here: ${unused#, }"; fi
  env_file_summary=${env_file_summary#; }
}

# The same, and says what was taken.
use_env_file() {
  read_env_file "$@"
  if [ -n "$env_file_summary" ]; then say "$env_file_summary"; fi
}

is_product_variable() { [[ $1 == REDIS_URL || $1 == WHATSAPP_* ]]; }

readonly env_assignment='^[[:space:]]*(export[[:space:]]+)?([A-Za-z_][A-Za-z0-9_]*)[[:space:]]*=[[:space:]]*(.*)$'
readonly env_single_quoted="^'([^']*)'([[:space:]]+#.*)?\$"
readonly env_double_quoted='^"([^"$`\]*)"([[:space:]]+#.*)?$'
readonly env_special='^["`#]|[$\]'

# Sets `name` and `value`, or `problem`. An empty name: a comment or an empty line. Messages never contain a value.
parse_env_line() {
  name='' value=''
  [[ $1 =~ ^[[:space:]]*(#.*)?$ ]] && return
  if ! [[ $1 =~ $env_assignment ]]; then
    problem="is not NAME=value: correct it, or put a # before it"
    return
  fi
  name=${BASH_REMATCH[2]}
  value=${BASH_REMATCH[3]}
  value=${value%"${value##*[![:space:]]}"}
  if [[ $value =~ $env_single_quoted || $value =~ $env_double_quoted ]]; then
    value=${BASH_REMATCH[1]}
    return
  fi
  is_product_variable "$name" || return 0
  if [[ $value == \'* ]]; then
    problem="has a value of $name that must end with its only second ', or a comment after that"
    return
  fi
  if [[ $value == '#'* ]]; then value=''; fi
  value=${value%%[[:space:]]#*}
  value=${value%"${value##*[![:space:]]}"}
  if [[ $value =~ $env_special ]]; then
    problem="has a \$, a \\ or a quote in the value of $name that programs read differently: put the value in single quotes; nothing is replaced in it"
  fi
}
