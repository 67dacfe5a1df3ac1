# aiohttp-tus 1.1. It has each body in memory before it keeps any of it, takes 1 MiB at most (413), and
# answers OPTIONS without a word of tus. A finished file is called what the metadata's filename says; one
# without a byte is never finished, since nothing is sent to it.
. "$here/python.sh"
missing() { missing_module aiohttp_tus; }
run_server() { exec "$python" "$here/python_servers.py" aiohttp-tus "$server_port" "$store"; }
held() { (cd "$store" && find . -maxdepth 1 -type f -exec sha256sum {} + | sed 's| .*| -|'); }
endpoint=files keeps_empty=0 at_most=2.5
