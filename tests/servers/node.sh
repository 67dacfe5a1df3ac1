# Sourced by the servers for Node.
# missing_package DIRECTORY
missing_package() {
    if ! command -v node >/dev/null; then
        echo "there is no node"
    elif ! [ -e "$servers/$1/package.json" ]; then
        echo "tests/run.sh has not put it into $servers"
    fi
}
run_node() { exec node "$servers/more/node_servers.mjs" "$1" "$server_port" "$store"; }
