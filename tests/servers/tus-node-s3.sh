# @tus/server 2.4 with @tus/s3-store 2.0, whose parts are 8 MiB.
. "$here/s3.sh"
. "$here/node.sh"
missing() {
    missing_package more/node_modules/@tus/s3-store
    missing_s3
}
run_server() {
    export TMPDIR="$store"
    run_node tus-node-s3
}
at_most=1.6
