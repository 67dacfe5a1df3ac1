# nginx 1.22 as it comes: bodies of 1 MiB at most (413), each of which it has whole before it passes it on. Each daemon
# has to learn that anew, at some MiB for each body that is too large.
. "$here/proxies.sh"
proxy_missing() { missing_proxy nginx; }
run_proxy() { run_nginx "" ""; }
at_most=2.4
