"""The row beside rclone mount onto rclone's own WebDAV server, whose files lie on the same disk."""

import contextlib
import pathlib
import time
from collections.abc import Iterator

from figures import Figure, Goal, Row
from large_files import size_of
from mounts import QUICK, MountedProgram, Tusfs
from processes import Background, Failure, require, run
from servers import STORING, Server, free_port
from session import SMALL, Session


class RcloneMount(MountedProgram):
    """Within a with block: a WebDAV server, and a mount of it that uploads as soon after the last
    close as tusfs does."""

    def __init__(self, session: Session) -> None:
        place = session.fresh("rclone")
        path, self._served = place / "mnt", place / "served"
        for directory in (path, self._served):
            directory.mkdir()
        program, port = require("rclone"), free_port()
        common = ("--config", session.memory / "rclone.conf", "--cache-dir", place / "cache")
        serve = ("serve", "webdav", self._served, "--addr", f"127.0.0.1:{port}")
        mount = ("mount", ":webdav:", path, "--webdav-url", f"http://127.0.0.1:{port}/")
        caching = ("--vfs-cache-mode", "writes", "--vfs-write-back", f"{QUICK[1]}s")
        with contextlib.ExitStack() as stack:
            server = stack.enter_context(
                Background((program, *serve, *common), session.log("webdav"))
            )
            server.await_ready(
                lambda: "started on" in server.log.read_text().lower(), "rclone serve webdav"
            )
            command = (program, *mount, *caching, *common)
            super().__init__(path, command, session.log("rclone"), stack.pop_all())

    def wait(self, name: str, files: int, size: int) -> None:
        """Returns when the server has all files beneath that name, which are so many bytes."""
        deadline = time.monotonic() + 3600
        while True:
            found = _lengths(self._served / name)
            if len(found) == files and sum(found) == size:
                return
            if time.monotonic() > deadline:
                raise Failure(f"rclone has sent {len(found)} of {files} files in an hour")
            time.sleep(0.05)


def _lengths(path: pathlib.Path) -> list[int]:
    if path.is_file():
        return [path.stat().st_size]
    with contextlib.suppress(FileNotFoundError):
        return [file.stat().st_size for file in path.rglob("f*") if file.is_file()]
    return []


def _large(session: Session, tusfs: Tusfs, rclone: RcloneMount) -> dict:
    mib = session.sizes.file_mib
    with session.large_file(mib) as source:

        def measure(name: str, directory: pathlib.Path, number: int, wait) -> dict:
            target = directory / f"large-{number}"
            begin = time.monotonic()
            copied = run("cp", source, target).seconds
            wait(target.name)
            seconds = time.monotonic() - begin
            target.unlink()
            return {name: seconds, f"{name} cp": copied}

        return session.in_turns(
            mib * 3,
            lambda number: measure("tusfs", tusfs.path, number, lambda _: tusfs.wait()),
            lambda number: measure(
                "rclone", rclone.path, number, lambda name: rclone.wait(name, 1, mib << 20)
            ),
        )


def _small(session: Session, tusfs: Tusfs, rclone: RcloneMount) -> dict:
    count = session.sizes.copied_files
    with session.small_files(count) as source:

        def measure(name: str, directory: pathlib.Path, number: int, wait) -> dict:
            target = directory / f"small-{number}"
            begin = time.monotonic()
            copied = run("cp", "-r", source, target).seconds
            wait(target.name)
            seconds = time.monotonic() - begin
            listed = run("ls", "-lR", target).seconds
            return {
                name: count / seconds,
                f"{name} cp": 1e6 * copied / count,
                f"{name} ls": 1e3 * listed,
            }

        return session.in_turns(
            256,
            lambda number: measure("tusfs", tusfs.path, number, lambda _: tusfs.wait()),
            lambda number: measure(
                "rclone", rclone.path, number, lambda name: rclone.wait(name, count, count * SMALL)
            ),
        )


def rclone(session: Session) -> Iterator[Figure]:
    require("rclone")
    never_slower = Goal("ratio", 1.0)
    with (
        Server(session, STORING) as server,
        Tusfs(session, server.url, *QUICK) as tusfs,
        RcloneMount(session) as mount,
    ):
        size, values = size_of(session.sizes.file_mib), _large(session, tusfs, mount)
        for name, key in ((f"cp of {size}", " cp"), (f"cp of {size} until uploaded", "")):
            yield Figure(
                name, "s", values["tusfs" + key], values["rclone" + key], "rclone", never_slower
            )
        files, values = f"{session.sizes.copied_files:,} × 4 KiB", _small(session, tusfs, mount)
        for name, unit, key in (
            (f"cp -r of {files}", "µs a file", " cp"),
            (f"{files} until uploaded", "files/s", ""),
            (f"ls -lR of {files}", "ms", " ls"),
        ):
            yield Figure(
                name,
                unit,
                values["tusfs" + key],
                values["rclone" + key],
                "rclone",
                never_slower,
                rate=key == "",
            )


ROWS = (Row("rclone", "the same through rclone mount and its WebDAV server", rclone),)
