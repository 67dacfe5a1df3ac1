"""Rows of many small files: what cp waits for, when all are uploaded, what each costs the daemon."""

import pathlib
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator

from figures import Figure, Goal, Row, Skip
from mounts import QUICK, Tusfs, default_transfers
from processes import Background, await_quiet, context_switches, run
from servers import AWAY, DISCARDING, TUS_NODE, TUSD, Server, plain_connections
from session import SMALL, Session

MANY = 100_000  # files of which no more rounds lie on the disk than those of one server


def _copies(session: Session, mount: Tusfs, wait: bool) -> dict:
    """Microseconds a file of cp -r into the mount and onto the disk."""
    count = session.sizes.copied_files
    plain = session.fresh("plain")
    with session.small_files(count) as source:

        def on_mount(number: int) -> dict:
            seconds = run("cp", "-r", source, mount.path / f"small-{number}").seconds
            if wait:
                mount.wait()
            return {"tusfs": 1e6 * seconds / count}

        def on_disk(number: int) -> dict:
            seconds = run("cp", "-r", source, plain / f"small-{number}").seconds
            return {"disk": 1e6 * seconds / count}

        return session.in_turns(_warm(count), on_mount, on_disk)


def _warm(count: int) -> int:
    return 256 + (count * SMALL >> 18)


def small_away(session: Session) -> Iterator[Figure]:
    count = session.sizes.copied_files
    with Tusfs(session, AWAY, *QUICK) as mount:
        values = _copies(session, mount, False)
    name = f"cp -r of {count:,} × 4 KiB, server away"
    yield Figure(name, "µs a file", values["tusfs"], values["disk"], "disk", Goal("value", 270))


def small_sending(session: Session) -> Iterator[Figure | Skip]:
    count = session.sizes.copied_files
    for kind, goal in ((DISCARDING, Goal("value", 500)), (TUSD, None)):
        try:
            with Server(session, kind) as server, Tusfs(session, server.url, *QUICK) as mount:
                values = _copies(session, mount, True)
        except Skip as reason:
            yield reason
            continue
        name = f"cp -r of {count:,} × 4 KiB, being sent, {kind.name}"
        yield Figure(name, "µs a file", values["tusfs"], values["disk"], "disk", goal)


def _uploads(session: Session, source: pathlib.Path, count: int, server: Server) -> dict:
    """Files a second from the start of cp -r until all are uploaded, and over plain connections."""
    connections = default_transfers(session)
    with Tusfs(session, server.url, *QUICK) as mount:

        def by_tusfs(number: int) -> dict:
            cpu, begin = mount.cpu(), time.monotonic()
            copied = run("cp", "-r", source, mount.path / f"small-{number}").seconds
            mount.wait()
            seconds = time.monotonic() - begin
            return {
                "tusfs": count / seconds,
                "cp, µs a file": 1e6 * copied / count,
                "daemon CPU, µs a file": 1e6 * (mount.cpu() - cpu) / count,
            }

        def bare(number: int) -> dict:
            return {"connections": plain_connections(server.url, connections, count)}

        return session.in_turns(_warm(count), by_tusfs, bare)


def small_uploaded(session: Session) -> Iterator[Figure | Skip]:
    for count in session.sizes.uploaded_files:
        with session.small_files(count) as source:
            for kind in (DISCARDING, TUSD, TUS_NODE):
                if count > MANY:
                    session.clear()
                try:
                    with Server(session, kind) as server:
                        values = _uploads(session, source, count, server)
                except Skip as reason:
                    yield reason
                    continue
                yield Figure(
                    f"{count:,} × 4 KiB until uploaded, {kind.name}",
                    "files/s",
                    values["tusfs"],
                    values["connections"],
                    f"{default_transfers(session)} connections",
                    Goal("ratio", 1.3),
                    rate=True,
                    details=values,
                )


# NAME CALLS ERRORS TOTAL…, for each thread
PERF_LINE = re.compile(r"^ +(?P<name>[a-z_]\w*) +(?P<calls>\d+) +\d+ +[\d.]+ ", re.MULTILINE)
# %TIME SECONDS USECS CALLS [ERRORS] NAME
STRACE_LINE = re.compile(
    r"^ *[\d.]+ +[\d.]+ +\d+ +(?P<calls>\d+) .*?(?P<name>[a-z_]\w*)$", re.MULTILINE
)
TRACERS = (
    (("perf", "trace", "-s", "-m", "4096"), PERF_LINE),
    (("strace", "-f", "-c"), STRACE_LINE),
)


class _Tracer:
    """Counts the system calls of a process, by perf trace or else by strace."""

    def __init__(self) -> None:
        for self._command, self._line in TRACERS:
            self.name = self._command[0]
            if shutil.which(self.name):
                return
        raise Skip("there is no perf and no strace")

    def count(self, session: Session, pid: int, work: Callable[[], None]) -> dict[str, int]:
        """Calls by name while `work` runs."""
        counted = session.log("calls")
        command = (*self._command, "-p", pid, "-o", counted)
        with Background(command, session.log("tracer")) as tracer:
            await_quiet(tracer.pid)  # it has attached, of which it says nothing
            work()
            tracer.stop(signal.SIGINT)
        calls: dict[str, int] = {}
        for line in self._line.finditer(counted.read_text()):
            if line["name"] != "total":
                calls[line["name"]] = calls.get(line["name"], 0) + int(line["calls"])
        if not calls:
            said = tracer.log.read_text(errors="replace")[-300:].strip()
            raise Skip(f"{self.name} counted nothing: {said}")
        return calls


def syscalls(session: Session) -> Iterator[Figure | Skip]:
    count = session.sizes.copied_files
    by_name: dict[str, list[float]] = {}
    tracer = _Tracer()
    with (
        session.small_files(count) as source,
        Server(session, DISCARDING) as server,
        Tusfs(session, server.url, *QUICK) as mount,
    ):

        def upload(target: str) -> None:
            run("cp", "-r", source, mount.path / target)
            mount.wait()

        def alone(number: int) -> dict:
            switches, cpu = context_switches(mount.daemon), mount.cpu()
            upload(f"alone-{number}")
            switches, cpu = context_switches(mount.daemon) - switches, mount.cpu() - cpu
            return {"switches": switches / count, "CPU": 1e6 * cpu / count}

        def traced(number: int) -> dict:
            calls = tracer.count(session, mount.daemon, lambda: upload(f"traced-{number}"))
            if number > 0:
                for name, many in sorted(calls.items(), key=lambda item: -item[1]):
                    by_name.setdefault(name, []).append(many / count)
            return {"calls": sum(calls.values()) / count}

        values = session.in_turns(_warm(count), alone, traced)
    yield Figure(
        f"system calls of the daemon ({tracer.name})", "a file", values["calls"], details=by_name
    )
    yield Figure("context switches of the daemon", "a file", values["switches"])
    yield Figure("CPU of the daemon", "µs a file", values["CPU"])


ROWS = (
    Row("small-away", "cp -r of 5,000 × 4 KiB while the server is away", small_away),
    Row("small-sending", "cp -r of 5,000 × 4 KiB while they are being sent", small_sending),
    Row("small-uploaded", "small files until all are uploaded ÷ plain connections", small_uploaded),
    Row("syscalls", "system calls and context switches for each small file", syscalls),
)
