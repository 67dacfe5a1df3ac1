"""The row of programs that record while something else is uploaded as fast as that goes."""

import contextlib
import itertools
import multiprocessing
import os
import pathlib
import shutil
import time
from array import array
from collections.abc import Callable, Iterator

from figures import Figure, Goal, Row, Skip
from mounts import QUICK, Tusfs
from processes import Failure, forked, require, run
from servers import DISCARDING, Server, curl_patch
from session import Session

RECORDERS = 8
RATE = 10_000_000  # bytes a second that each writes
BODY = 131072  # bytes of one write
LOAD_MIB = 512  # of the file that is uploaded again and again beside them


def _record(path: pathlib.Path, seconds: float, phase: float, results) -> None:
    """Writes at RATE, at `phase` (0 to 1) of each period, and sends how long each write took, in
    ms."""
    took = array("d")
    body = os.urandom(BODY)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    start = time.monotonic() + phase * BODY / RATE
    for number in range(int(seconds * RATE / BODY)):
        time.sleep(max(0, start + number * BODY / RATE - time.monotonic()))
        begin = time.perf_counter()
        written = os.write(file, body)
        took.append(1e3 * (time.perf_counter() - begin))
        if written != BODY:
            raise Failure(f"a write of {BODY} bytes wrote {written}")
    os.close(file)
    results.send_bytes(took.tobytes())


def _again_and_again(upload: Callable[[int], None], ended) -> None:
    for number in itertools.count():
        if ended.is_set():
            return
        upload(number)


def _latencies(directory: pathlib.Path, seconds: float, upload: Callable[[int], None]) -> dict:
    """99.9th percentile and longest of all writes, in ms."""
    ended = multiprocessing.Event()
    pipes = [multiprocessing.Pipe(duplex=False) for _ in range(RECORDERS)]
    jobs = [
        (directory / f"recording-{n}", seconds, n / RECORDERS, sending)
        for n, (_, sending) in enumerate(pipes)
    ]
    took = array("d")
    with forked(_again_and_again, [(upload, ended)]) as load, forked(_record, jobs) as writers:
        for _, sending in pipes:
            sending.close()
        for receiving, _ in pipes:
            with contextlib.suppress(EOFError):
                took.frombytes(receiving.recv_bytes())
        ended.set()
        for process in (*writers, *load):
            process.join()
            if process.exitcode != 0:
                raise Failure("a recorder, or the upload beside them, failed")
    ordered = sorted(took)
    return {"p99.9": ordered[int(0.999 * (len(ordered) - 1))], "longest": ordered[-1]}


def recorders(session: Session) -> Iterator[Figure | Skip]:
    require("curl")
    seconds = session.sizes.recorded_seconds
    session.need_room(0, RECORDERS * RATE * seconds >> 20)
    plain = session.fresh("plain")
    with (
        session.large_file(LOAD_MIB) as source,
        Server(session, DISCARDING) as server,
        Tusfs(session, server.url, *QUICK) as mount,
    ):

        def send_by_mount(number: int) -> None:
            target = mount.path / f"load-{number}"
            run("cp", source, target)
            run(session.tusfsctl, "wait", target)
            target.unlink()

        def send_by_curl(number: int) -> None:
            target = plain / f"load-{number}"
            run("cp", source, target)
            curl_patch(server.url, target)
            target.unlink()

        def measure(name: str, directory: pathlib.Path, upload: Callable[[int], None]) -> dict:
            here = directory / f"{time.monotonic_ns()}"
            here.mkdir()
            taken = _latencies(here, seconds, upload)
            if directory == mount.path:
                mount.wait()
            shutil.rmtree(here)
            return {f"{name} {key}": value for key, value in taken.items()}

        values = session.in_turns(
            2 * LOAD_MIB,
            lambda number: measure("tusfs", mount.path, send_by_mount),
            lambda number: measure("disk", plain, send_by_curl),
        )
    for key in ("p99.9", "longest"):
        yield Figure(
            f"write(2) of {RECORDERS} recorders, {key}",
            "ms",
            values[f"tusfs {key}"],
            values[f"disk {key}"],
            "disk, curl",
            Goal("excess", 5),
        )


ROWS = (Row("recorders", "writes of 8 × 10 MB/s beside an upload at full rate", recorders),)
