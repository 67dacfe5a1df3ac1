# nginx 1.22 with TLS and HTTP/2, whose connections end after 20 requests.
. "$here/proxies.sh"
proxy_missing() { missing_proxy nginx; }
run_proxy() {
    make_certificate
    run_nginx "ssl http2" "ssl_certificate $work/server.pem; ssl_certificate_key $work/server.pem;
        keepalive_requests 20; client_max_body_size 0; proxy_request_buffering off; proxy_buffering off;"
}
scheme=https proxy_options="--ca-file $work/ca.pem --http2"
