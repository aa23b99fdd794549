# For run.sh and field.sh: shows a command as it would be typed and runs it, unless the file that it makes is there.
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
