# @tus/server 2.4, the official one for Node, with its file store.
. "$here/node.sh"
missing() { missing_package node_modules/@tus/server; }
run_server() { run_node tus-node; }
held() { with_records json; }
