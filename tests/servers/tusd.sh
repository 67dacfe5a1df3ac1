# tusd 2.10, the reference server, with its file store.
missing() { [ -x "$servers/tusd" ] || echo "tests/run.sh has not built tusd"; }
run_server() {
    exec "$servers/tusd" -host 127.0.0.1 -port "$server_port" -upload-dir "$store" -behind-proxy
}
held() { with_records info; }
