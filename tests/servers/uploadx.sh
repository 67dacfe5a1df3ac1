# node-uploadx 4.1. It has no deferred length, does not say the length in its answer to HEAD, and answers
# errors without a word of tus.
. "$here/node.sh"
missing() { missing_package more/node_modules/node-uploadx; }
run_server() { run_node uploadx; }
held() { with_records META; }
endpoint=files
