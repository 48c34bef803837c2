# Keeps one broker: started as `sh keeper.sh FOLDER JAVA...`. It says the process id of each broker it starts,
# obeys the words below, and ends broker and folder when its input ends: however its owner ends, nothing is left over.
folder=$1
shift
trap '' INT HUP # Ctrl-C is for its owner
start() {
  "$@" </dev/null >>"$folder/log" 2>&1 &
  pid=$!
  echo "$pid"
}
start "$@"
while read -r word; do
  case $word in
    kill) kill -9 "$pid"; wait "$pid" 2>/dev/null; echo killed ;;
    start) start "$@" ;;
    hang) kill -STOP "$pid"; echo hangs ;;
    resume) kill -CONT "$pid"; echo resumed ;;
  esac
done
kill -9 "$pid" 2>/dev/null
wait "$pid" 2>/dev/null
rm -rf "$folder"
