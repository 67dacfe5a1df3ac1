# tusd 2.10 with its S3 store, which has up to 50 MiB of a body on its own disk before S3 has any of it:
# a kill loses them.
. "$here/s3.sh"
missing() {
    [ -x "$servers/tusd" ] || echo "tests/run.sh has not built tusd"
    missing_s3
}
run_server() {
    export TMPDIR="$store"
    exec "$servers/tusd" -host 127.0.0.1 -port "$server_port" -s3-bucket uploads \
        -s3-endpoint "$S3_ENDPOINT"
}
at_most=1.8
