"""Running programs, and what /proc says of them."""

import contextlib
import multiprocessing
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from figures import Skip


class Failure(Exception):
    """A program did not do what it was started for."""


class Usage(NamedTuple):
    seconds: float  # of the wall clock
    cpu: float  # seconds, user and system, with what the program waited for


def require(program: str) -> str:
    """The path of a program. Raises Skip where it is not installed."""
    found = shutil.which(program)
    if not found:
        raise Skip(f"there is no {program}")
    return found


def run(*command, cwd: pathlib.Path | None = None, **environment: str) -> Usage:
    """Runs a program to its end; its output is dropped. Raises Failure with what it complained of."""
    # A file, since a daemon that the program leaves behind would hold a pipe open.
    with tempfile.TemporaryFile() as complaints:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begin = time.monotonic()
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=cwd,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=complaints,
            process_group=0,
        )
        try:
            status = process.wait()
        except BaseException:
            # With all that it has started, as a build.
            _end(process, lambda number: os.killpg(process.pid, number))
            raise
        seconds = time.monotonic() - begin
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if status != 0:
            complaints.seek(0)
            said = complaints.read().decode(errors="replace")[-2000:].strip()
            raise Failure(f"{' '.join(map(str, command))} ended with {status}: {said}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Usage(seconds, cpu)


class Background:
    """A program that runs until the with block ends, or `stop`, out of reach of ^C. Both its
    outputs go to `log`."""

    def __init__(self, command: Sequence, log: pathlib.Path) -> None:
        self.log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.pid = self._process.pid

    def __enter__(self) -> "Background":
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def await_ready(self, ready: Callable[[], object], what: str):
        """What `ready` returns as soon as that is true. Raises Failure where it never is."""
        for _ in range(600):
            if answer := ready():
                return answer
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        self.stop()
        raise Failure(f"{what} did not start: {self.log.read_text(errors='replace')[-2000:]}")

    def stop(self, how: int = signal.SIGTERM) -> None:
        if self._process.poll() is None:
            _end(self._process, self._process.send_signal, how)


def _end(process: subprocess.Popen, send: Callable[[int], None], how=signal.SIGTERM) -> None:
    """Returns when the process has ended, by force if it does not otherwise."""
    send(how)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        send(signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def forked(function: Callable, arguments: Sequence[tuple]) -> Iterator[list]:
    """Processes that run `function`, one for each tuple of arguments. They end with the block."""
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=_child, args=(function, each)) for each in arguments]
    try:
        for child in children:
            child.start()
        yield children
    finally:
        for child in children:
            if child.is_alive():
                child.terminate()
            if child.pid:
                child.join()


def _child(function: Callable, arguments: tuple) -> None:
    # The parent is interrupted, and ends its children. They take along what they have started.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    function(*arguments)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, its ended threads included."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def context_switches(pid: int) -> int:
    """Of all threads that the process has now."""
    switches = 0
    for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for line in (thread / "status").read_text().splitlines():
                if "ctxt_switches:" in line:
                    switches += int(line.split()[1])
    return switches


def own_memory(pid: int) -> float:
    """Anonymous memory that is resident (RssAnon), in MiB."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1024
    raise Failure(f"/proc/{pid}/status has no RssAnon")


def await_quiet(pid: int) -> None:
    """Returns when the process has needed no CPU for a second."""
    used = None
    while used != (now := cpu_seconds(pid)):
        used = now
        time.sleep(1)


def await_end(*pids: int) -> None:
    """Waits until the processes are gone, which need not be children."""
    deadline = time.monotonic() + 120
    while any(os.path.exists(f"/proc/{pid}") for pid in pids):
        if time.monotonic() > deadline:
            raise Failure(f"still there: processes {pids}")
        time.sleep(0.05)
