# Runs PgBouncer until standard input ends. A line `restart` on standard input restarts it.
# Arguments: folder, its port, the server's port, its mode, how many sessions it has for a database, start-up parameters to ignore.
set -eu
dir=$1 port=$2 server=$3 mode=$4 size=$5 ignored=$6
as=""
if [ "$(id -u)" = 0 ]; then
    chown postgres "$dir"
    as="setpriv --reuid=postgres --regid=postgres --init-groups"
fi
# `auth_type = any` needs a forced user.
cat >"$dir/pgbouncer.ini" <<INI
[databases]
* = host=127.0.0.1 port=$server user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $port
unix_socket_dir =
auth_type = any
pool_mode = $mode
default_pool_size = $size
max_client_conn = 500
server_login_retry = 0.2
ignore_startup_parameters = $ignored
INI
pooler=
trap 'kill "$pooler" 2>/dev/null || true; wait "$pooler" || true; rm -rf "$dir"' EXIT
start() {
    $as pgbouncer -q "$dir/pgbouncer.ini" </dev/null >>"$dir/log" 2>&1 &
    pooler=$!
}
start
while read -r line; do
    if [ "$line" = restart ]; then
        # At once, whatever its clients do.
        kill -TERM "$pooler"
        wait "$pooler" || true
        start
    fi
done
