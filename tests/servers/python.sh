# Sourced by the servers for Python.
python=$servers/python/bin/python3
# missing_module NAME
missing_module() { "$python" -c "import $1" 2>/dev/null || echo "tests/run.sh has not put it into $servers/python"; }
