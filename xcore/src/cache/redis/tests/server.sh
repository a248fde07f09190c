# Runs Redis servers in a folder until standard input ends, so that they never outlive the tests: one, or with several ports a cluster.
# A line `stop` on standard input kills them, `start` starts them again without their data; `freeze` and `thaw` stop them from
# answering and let them go on. Arguments: folder, ports. With XCORE_TLS they speak TLS, with a certificate of `ca.crt` in the folder.
set -eu
dir=$1
shift
ports=$*
cd "$dir"
servers=
cluster=no
[ $# -gt 1 ] && cluster=yes
finish() {
    for server in $servers; do kill -CONT "$server" 2>/dev/null || true; kill -KILL "$server" 2>/dev/null || true; done
    rm -rf "$dir"
}
trap finish EXIT
cli="redis-cli"
if [ -n "${XCORE_TLS:-}" ]; then
    key="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
    {
        openssl req -x509 $key -days 2 -subj /CN=tests -keyout ca.key -out ca.crt
        openssl req $key -subj /CN=server -keyout server.key -out server.csr
        echo "subjectAltName = IP:127.0.0.1" >server.ext
        openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile server.ext -out server.crt
    } >tls.log 2>&1
    cli="redis-cli --tls --cacert ca.crt"
fi
start() {
    servers=
    for port in $ports; do
        mkdir -p "$port"
        rm -f "$port/nodes.conf"
        listen="--port $port"
        if [ -n "${XCORE_TLS:-}" ]; then
            listen="--port 0 --tls-port $port --tls-auth-clients no --tls-ca-cert-file $dir/ca.crt"
            listen="$listen --tls-cert-file $dir/server.crt --tls-key-file $dir/server.key"
        fi
        redis-server $listen --bind 127.0.0.1 --dir "$dir/$port" --save '' --appendonly no \
            --cluster-enabled "$cluster" --cluster-config-file nodes.conf --cluster-node-timeout 2000 \
            --logfile "$dir/$port/log" </dev/null >/dev/null 2>&1 &
        servers="$servers $!"
    done
    for port in $ports; do
        until $cli -p "$port" ping 2>/dev/null | grep -q PONG; do sleep 0.02; done
    done
    # One that found its port taken has ended, and who answered is somebody else's.
    for server in $servers; do kill -0 "$server"; done
    if [ "$cluster" = yes ]; then
        nodes=
        for port in $ports; do nodes="$nodes 127.0.0.1:$port"; done
        redis-cli --cluster create $nodes --cluster-yes >create.log 2>&1
        for port in $ports; do
            until redis-cli -p "$port" cluster info | grep -q cluster_state:ok; do sleep 0.05; done
        done
    fi
    echo ready
}
start
while read -r line; do
    case "$line" in
    stop)
        for server in $servers; do kill -KILL "$server"; wait "$server" || true; done
        servers=
        echo stopped
        ;;
    start) start ;;
    freeze)
        for server in $servers; do kill -STOP "$server"; done
        echo frozen
        ;;
    thaw)
        for server in $servers; do kill -CONT "$server"; done
        echo thawed
        ;;
    esac
done
