# For run.sh and field.sh.

# Shows a command as it would be typed and runs it, unless the file that it makes is there.
step() {
  local made=$1
  shift
  if [ -e "$made" ]; then
    printf '\n%s is there already.\n' "$made"
    return
  fi
  printf '\n$ %s' "$*" | sed 's/ --/ \\\n    --/g'
  printf '\n'
  "$@"
}

# Ends the script unless a variable holds a number above 0: to run_pretraining, 0 minutes are no budget.
check_minutes() {
  if ! awk -v given="${!1}" 'BEGIN {exit !(given ~ /^[0-9]*[.]?[0-9]*$/ && given > 0)}'; then
    echo "error: $2 is '${!1}', expected a number of minutes above 0" >&2
    exit 1
  fi
}
