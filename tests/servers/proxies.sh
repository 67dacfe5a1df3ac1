# Sourced by the proxies: Debian's, unpacked by tests/run.sh and not installed, so that none is started.
unpacked=$servers/proxies
# proxy_program NAME: the command in words
proxy_program() {
    if [ -x "$unpacked/usr/sbin/$1" ]; then
        libraries=$(find "$unpacked/usr/lib" -name 'lib*.so.*' -exec dirname {} \; | sort -u | paste -s -d :)
        echo "env LD_LIBRARY_PATH=$libraries $unpacked/usr/sbin/$1"
    else
        command -v "$1" || command -v "/usr/sbin/$1"
    fi
}
missing_proxy() { [ "$(proxy_program "$1")" ] || echo "there is no $1"; }

# An authority of its own, and a certificate for 127.0.0.1 with its key.
make_certificate() {
    [ ! -e "$work/ca.pem" ] || return 0
    echo "subjectAltName=IP:127.0.0.1" >"$work/names"
    (cd "$work" &&
        openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.new &&
        openssl req -newkey rsa:2048 -nodes -subj /CN=127.0.0.1 -keyout server.key -out server.csr &&
        openssl x509 -req -in server.csr -CA ca.new -CAkey ca.key -CAcreateserial -days 2 \
            -extfile names -out server.crt &&
        cat server.crt server.key >server.pem && mv ca.new ca.pem) >"$work/openssl.log" 2>&1 ||
        cat "$work/openssl.log"
}

# run_nginx LISTEN-WORDS DIRECTIVES
run_nginx() {
    mkdir -p "$work/nginx"
    cat >"$work/nginx/conf" <<CONF
daemon off;
master_process off;
user root;
pid $work/nginx/pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path $work/nginx/body;
    proxy_temp_path $work/nginx/proxy;
    fastcgi_temp_path $work/nginx/fastcgi;
    uwsgi_temp_path $work/nginx/uwsgi;
    scgi_temp_path $work/nginx/scgi;
    server {
        listen 127.0.0.1:$proxy_port $1;
        $2
        location / {
            proxy_pass http://127.0.0.1:$server_port;
            proxy_http_version 1.1;
            proxy_set_header Host \$http_host;
            proxy_set_header X-Forwarded-Host \$http_host;
            proxy_set_header X-Forwarded-Proto \$scheme;
        }
    }
}
CONF
    # shellcheck disable=SC2046 # a command in words
    exec $(proxy_program nginx) -p "$work/nginx" -c "$work/nginx/conf" -e stderr
}

# run_haproxy BIND-WORDS
run_haproxy() {
    cat >"$work/haproxy.conf" <<CONF
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend outside
    bind 127.0.0.1:$proxy_port $1
    http-request set-header X-Forwarded-Host %[req.hdr(host)]
    http-request set-header X-Forwarded-Proto https if { ssl_fc }
    default_backend tus
backend tus
    server tus 127.0.0.1:$server_port
CONF
    # shellcheck disable=SC2046 # a command in words
    exec $(proxy_program haproxy) -db -f "$work/haproxy.conf"
}
