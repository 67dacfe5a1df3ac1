#!/bin/sh
# How fast tusfs is, each figure beside its yardstick and the goal. By hand, after a build:
#   sh tests/bench/run.sh [--list] [--short | --long] [ROW...]
exec python3 -B "$(dirname "$0")/bench.py" "$@"
