# tuspyserver 4.4 for FastAPI, with its file store. It appends a body to the file as it comes and says
# how long the file is when the body has ended: killed in between it goes on from an offset below the
# file's end, appends, and ends with a longer file, which no client can see. So it is asked to end. A
# PATCH that comes before it has noticed the end of the last one stops it for 30 seconds.
. "$here/python.sh"
missing() { missing_module tuspyserver; }
run_server() { exec "$python" "$here/python_servers.py" tuspyserver "$server_port" "$store"; }
held() { with_records info; }
kill_signal=TERM at_most=1.5
