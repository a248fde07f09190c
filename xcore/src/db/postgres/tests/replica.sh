# Makes a streaming replica of a server and runs it until standard input ends. A line `kill` on standard input kills it as a crash
# would, `start` starts it again, `pause` and `resume` stop it without a word and let it go on. Arguments: folder, port, folder of
# the binaries, port of the primary.
set -eu
dir=$1 port=$2 bin=$3 primary=$4
as=""
if [ "$(id -u)" = 0 ]; then
    # The server refuses to run as root.
    chown postgres "$dir"
    as="setpriv --reuid=postgres --regid=postgres --init-groups"
fi
cd "$dir"
# The server and its sessions, each of which is a process.
all() {
    kill "-$1" "$server" 2>/dev/null || true
    for status in /proc/[0-9]*/status; do
        if grep -qs "^PPid:[[:space:]]*$server\$" "$status"; then
            session=${status#/proc/}
            kill "-$1" "${session%/status}" 2>/dev/null || true
        fi
    done
}
# The first to go is the server: a session that dies would be another reason to end for the others.
down() {
    all KILL
    wait "$server" 2>/dev/null || true
}
trap 'down; rm -rf "$dir"' EXIT
server=
$as "$bin/pg_basebackup" -D "$dir/data" -h 127.0.0.1 -p "$primary" -U postgres -X stream -R -c fast --no-sync >"$dir/basebackup.log" 2>&1
start() {
    rm -f "$dir/data/postmaster.pid"
    $as "$bin/postgres" -D "$dir/data" -k "$dir" -h 127.0.0.1 -p "$port" \
        -c fsync=off -c max_connections=300 -c max_wal_senders=40 -c shared_buffers=64MB -c hot_standby_feedback=off \
        -c max_standby_streaming_delay=1s -c wal_retrieve_retry_interval=200ms </dev/null >>"$dir/server.log" 2>&1 &
    server=$!
}
start
while read -r line; do
    case $line in
        kill) down ;;
        start) start ;;
        pause) all STOP ;;
        resume) all CONT ;;
    esac
done
