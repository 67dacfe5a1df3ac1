"""Measures tusfs beside yardsticks: sh tests/bench/run.sh [ROW...], after a build.

Without a name every row is measured that can be measured here; the others are SKIPPED. tusfs and
its yardstick take turns within a round, the first round warms up and is discarded, and a ratio is
taken in each round before its median. Sources lie in memory, spool and plain copies on one disk.
tusfs has its defaults, but for the quiet time after the last close: none in uploaded and cpu, 0.2 s
elsewhere.

environment:
  BENCH_DIR       on the disk to measure (default /var/tmp)
  BENCH_ROUNDS    rounds that count (default 5, with --short 2)
  BENCH_MIB       size of the file of cp-away and cp-sending (default 2048)
  BENCH_FILES     how many small files are copied (default 5000)
  BENCH_JSON      where every single value goes (default build/bench.json)
  TUSFS_BIN, TUSFSCTL_BIN  the programs to measure (default: those of build/)
  TUSFS_SERVERS   where tests/run.sh puts tusd and @tus/server (default build/servers)
"""

import argparse
import contextlib
import os
import pathlib
import signal
import sys

import at_rest
import compiling
import in_parts
import large_files
import passthrough
import rclone
import recorders
import small_files
from figures import Report, Skip
from processes import Failure
from session import INTERRUPTS, LONG, NORMAL, SHORT, Session

ROWS = {
    row.name: row
    for module in (
        large_files,
        small_files,
        passthrough,
        rclone,
        recorders,
        at_rest,
        in_parts,
        compiling,
    )
    for row in module.ROWS
}


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog="tests/bench/run.sh",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("rows", nargs="*", metavar="ROW", help="what to measure (default: all)")
    parser.add_argument("--list", action="store_true", help="show the rows and end")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--short", action="store_true", help="small sizes and 2 rounds, for trying")
    length.add_argument("--long", action="store_true", help="300,000 small files, too")
    arguments = parser.parse_args()
    for name in arguments.rows:
        if name not in ROWS:
            parser.error(f"there is no row {name}; --list shows them")
    return arguments


def interrupted(number: int, _) -> None:
    """Unwinds, so that mounts, servers and directories go; a second one must not leave half."""
    for each in INTERRUPTS:
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + number)


def measure(session: Session, row, report: Report) -> None:
    """One row into the report: its figures, or why there are none."""
    print(f"== {row.name}: {row.summary}", file=sys.stderr, flush=True)
    try:
        # Closed at once where it is left early: it unmounts and ends its servers then.
        with contextlib.closing(row.measure(session)) as results:
            for result in results:
                report.add(row.name, result)
    except Skip as reason:
        report.add(row.name, reason)
    except (Failure, OSError) as error:
        report.failed(row.name, str(error))


def main() -> int:
    arguments = parse_arguments()
    if arguments.list:
        for row in ROWS.values():
            print(f"{row.name:16} {row.summary}")
        return 0
    sizes = SHORT if arguments.short else LONG if arguments.long else NORMAL
    root = pathlib.Path(__file__).resolve().parents[2]
    for number in INTERRUPTS:
        signal.signal(number, interrupted)
    with contextlib.ExitStack() as stack:
        session = stack.enter_context(Session(root, sizes))
        path = os.environ.get("BENCH_JSON") or root / "build/bench.json"
        report = Report(pathlib.Path(path), session.conditions())
        stack.callback(report.print)
        for name in arguments.rows or ROWS:
            measure(session, ROWS[name], report)
    return 1 if report.failures else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failure, Skip) as error:
        sys.exit(f"bench: {error}")
