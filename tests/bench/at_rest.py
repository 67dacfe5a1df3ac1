"""Rows of what a mount costs that is left alone or only looked at: idle, memory, directory."""

import threading
import time
from collections.abc import Iterator

from figures import Figure, Goal, Row
from large_files import size_of
from mounts import QUICK, Tusfs
from processes import await_quiet, context_switches, own_memory, run
from servers import AWAY, DISCARDING, Server
from session import Session


def idle(session: Session) -> Iterator[Figure]:
    seconds = session.sizes.idle_seconds
    with (
        session.small_files(100) as source,
        Server(session, DISCARDING) as server,
        Tusfs(session, server.url, *QUICK) as mount,
    ):
        run("cp", "-r", source, mount.path / "uploaded")
        mount.wait()
        time.sleep(5)

        def rest(number: int) -> dict:
            switches, cpu = context_switches(mount.daemon), mount.cpu()
            time.sleep(seconds)
            return {
                "switches": (context_switches(mount.daemon) - switches) / seconds,
                "CPU": 1e3 * (mount.cpu() - cpu) / seconds,
            }

        values = session.in_turns(0, rest)
    yield Figure(
        "context switches of an idle daemon",
        "a second",
        values["switches"],
        goal=Goal("value", 1, below=True),
    )
    yield Figure("CPU of an idle daemon", "ms a second", values["CPU"], goal=Goal("value", 0))


class _Peak:
    """The most own memory of a process within a with block, in MiB."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.mib = 0.0

    def __enter__(self) -> "_Peak":
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.1):
            self.mib = max(self.mib, own_memory(self._pid))


def memory(session: Session) -> Iterator[Figure]:
    limit = Goal("value", 64, below=True)
    for count in session.sizes.queued_files:
        with session.small_files(count) as source:

            def queue(number: int) -> dict:
                with Tusfs(session, AWAY, *QUICK) as mount:
                    with _Peak(mount.daemon) as peak:
                        run("cp", "-r", source, mount.path / "queued")
                        await_quiet(mount.daemon)
                    return {"at rest": own_memory(mount.daemon), "peak": peak.mib}

            values = session.in_turns(0, queue)
        name = f"own memory, {count:,} files queued"
        yield Figure(name, "MiB", values["at rest"], goal=limit, details=values)
    mib = session.sizes.memory_mib
    with session.large_file(mib) as source:

        def upload(number: int) -> dict:
            with (
                Server(session, DISCARDING) as server,
                Tusfs(session, server.url, *QUICK) as mount,
            ):
                with _Peak(mount.daemon) as peak:
                    run("cp", source, mount.path / "large")
                    mount.wait()
                (mount.path / "large").unlink()
                return {"peak": peak.mib}

        values = session.in_turns(0, upload)
    yield Figure(f"own memory at most, {size_of(mib)}", "MiB", values["peak"], goal=limit)


def directory(session: Session) -> Iterator[Figure]:
    count = session.sizes.entries
    plain = session.fresh("plain")
    with session.small_files(count, a_directory=count) as source:
        older = source / "d000/f000000"
        with Tusfs(session, AWAY, *QUICK) as mount:
            for place in (mount.path, plain):
                run("cp", "-r", source / "d000", place / "many")
            await_quiet(mount.daemon)

            def look(name: str, place) -> dict:
                here = place / "many"
                commands = {
                    "ls -l, first": ("ls", "-l", here),
                    "ls -l, again": ("ls", "-l", here),
                    "find -newer": ("find", here, "-newer", older),
                    "du": ("du", "-s", here),
                }
                return {
                    f"{name} {what}": 1e3 * run(*command).seconds
                    for what, command in commands.items()
                }

            def on_mount(number: int) -> dict:
                mount.unmount()
                mount.mount()
                await_quiet(mount.daemon)
                return look("tusfs", mount.path)

            values = session.in_turns(0, on_mount, lambda number: look("disk", plain))
    for what in ("ls -l, first", "ls -l, again", "find -newer", "du"):
        yield Figure(
            f"{what}, {count:,} entries",
            "ms",
            values[f"tusfs {what}"],
            values[f"disk {what}"],
            "disk",
            Goal("ratio", 2),
        )


ROWS = (
    Row("idle", "what the daemon does while nothing is asked of it", idle),
    Row("memory", "the daemon's own memory: many files queued, a large one uploaded", memory),
    Row("directory", "ls -l, find -newer and du in a large directory ÷ the disk", directory),
)
