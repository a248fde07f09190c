# Runs PgBouncer in transaction mode until standard input ends. Arguments: folder, its port, the server's port.
set -eu
dir=$1 port=$2 server=$3
as=""
if [ "$(id -u)" = 0 ]; then
    chown postgres "$dir"
    as="setpriv --reuid=postgres --regid=postgres --init-groups"
fi
cat >"$dir/pgbouncer.ini" <<INI
[databases]
* = host=127.0.0.1 port=$server
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $port
unix_socket_dir =
auth_type = any
pool_mode = transaction
ignore_startup_parameters = options, extra_float_digits
INI
# `auth_type = any` needs a forced user.
sed -i 's/port=.*$/& user=postgres/' "$dir/pgbouncer.ini"
sed -i 's/^listen_port.*$/listen_port = '"$port"'/' "$dir/pgbouncer.ini"
trap 'kill "$pooler" 2>/dev/null || true; wait "$pooler" || true; rm -rf "$dir"' EXIT
$as pgbouncer -q "$dir/pgbouncer.ini" </dev/null >"$dir/log" 2>&1 &
pooler=$!
read -r _ || true
