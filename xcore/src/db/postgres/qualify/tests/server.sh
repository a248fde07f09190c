# Runs a PostgreSQL server in a folder until standard input ends, so that it never outlives the tests.
# A line `restart` on standard input restarts it. Arguments: folder, port, folder of the binaries.
set -eu
dir=$1 port=$2 bin=$3
as=""
if [ "$(id -u)" = 0 ]; then
    # The server refuses to run as root.
    chown postgres "$dir"
    as="setpriv --reuid=postgres --regid=postgres --init-groups"
fi
cd "$dir"
trap 'kill -INT "$server" 2>/dev/null || true; wait "$server" || true; rm -rf "$dir"' EXIT
server=
$as "$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >"$dir/initdb.log" 2>&1
start() {
    $as "$bin/postgres" -D "$dir/data" -k "$dir" -h 127.0.0.1 -p "$port" \
        -c fsync=off -c max_connections=300 -c shared_buffers=64MB </dev/null >>"$dir/server.log" 2>&1 &
    server=$!
}
start
while read -r line; do
    if [ "$line" = restart ]; then
        kill -INT "$server"
        wait "$server" || true
        start
    fi
done
