# nginx 1.22, set up as tus servers advise: bodies of any size go through while they arrive.
. "$here/proxies.sh"
proxy_missing() { missing_proxy nginx; }
run_proxy() { run_nginx "" "client_max_body_size 0; proxy_request_buffering off; proxy_buffering off;"; }
