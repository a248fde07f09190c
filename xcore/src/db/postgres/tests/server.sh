# Runs a PostgreSQL server in a folder until standard input ends, so that it never outlives the tests.
# A line `restart` on standard input restarts it, `stop` and `start` do half of that; `freeze` and `thaw` stop it from answering
# and let it go on. Arguments: folder, port, folder of the binaries, more options of the server.
set -eu
dir=$1 port=$2 bin=$3 more=${4-}
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
# The tests' own login needs no password, those of tenants do.
cat >"$dir/data/pg_hba.conf" <<HBA
local all all trust
host all postgres 127.0.0.1/32 trust
host replication postgres 127.0.0.1/32 trust
host all all 127.0.0.1/32 scram-sha-256
HBA
# A certificate for this address, of an authority that no machine trusts: `ca.crt`.
tls() {
    key="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
    openssl req -x509 $key -days 2 -subj /CN=tests -keyout ca.key -out ca.crt
    openssl req $key -subj /CN=server -keyout server.key -out server.csr
    echo "subjectAltName = IP:127.0.0.1" >server.ext
    openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile server.ext -out server.crt
    chmod 600 server.key
    if [ -n "$as" ]; then chown postgres server.key; fi
}
tls >tls.log 2>&1
start() {
    $as "$bin/postgres" -D "$dir/data" -k "$dir" -h 127.0.0.1 -p "$port" \
        -c ssl=on -c ssl_cert_file="$dir/server.crt" -c ssl_key_file="$dir/server.key" \
        -c fsync=off -c max_connections=300 -c shared_buffers=64MB -c max_wal_senders=40 -c wal_keep_size=256MB $more </dev/null >>"$dir/server.log" 2>&1 &
    server=$!
}
start
while read -r line; do
    case "$line" in
    restart | stop)
        kill -INT "$server"
        wait "$server" || true
        ;;
    # With all its sessions, each of which is a process; itself first, so that there are no more of them.
    freeze) kill -STOP "$server"; pkill -STOP -P "$server" || true ;;
    thaw) kill -CONT "$server"; pkill -CONT -P "$server" || true ;;
    esac
    case "$line" in restart | start) start ;; esac
done
