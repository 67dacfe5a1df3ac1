# HAProxy 2.6 with TLS.
. "$here/proxies.sh"
proxy_missing() { missing_proxy haproxy; }
run_proxy() {
    make_certificate
    run_haproxy "ssl crt $work/server.pem"
}
scheme=https proxy_options="--ca-file $work/ca.pem"
