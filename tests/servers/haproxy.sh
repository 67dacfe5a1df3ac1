# HAProxy 2.6.
. "$here/proxies.sh"
proxy_missing() { missing_proxy haproxy; }
run_proxy() { run_haproxy ""; }
