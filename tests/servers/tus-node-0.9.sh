# tus-node-server 0.9, what @tus/server was in 2022. It keeps all its records in one file, which is
# lost with the uploads.
. "$here/node.sh"
missing() { missing_package more/node_modules/tus-node-server; }
run_server() {
    export XDG_CONFIG_HOME="$work/config"
    run_node tus-node-0.9
}
wipe() {
    rm -rf "$store" "$work/config"
    mkdir "$store"
}
held() { (cd "$store" && find . -type f -exec sha256sum {} + | sed 's| .*| -|'); }
