"""A mount of tusfs, with its state on the disk that is measured."""

import contextlib
import json
import os
import pathlib
import re
import subprocess
import time
from collections.abc import Sequence

from figures import Skip
from processes import Background, Failure, await_end, cpu_seconds, run
from session import Session

# Of rows whose goal is not about the quiet time after the last close.
QUICK = ("--settle", "0.2")
AT_ONCE = ("--settle", "0")


def is_mounted(path: pathlib.Path) -> bool:
    return f" {path} " in pathlib.Path("/proc/self/mountinfo").read_text()


def unmount(path: pathlib.Path) -> None:
    command = ("umount",) if os.geteuid() == 0 else ("fusermount3", "-u")
    for _ in range(50):
        if subprocess.run([*command, str(path)], stderr=subprocess.DEVNULL).returncode == 0:
            return
        time.sleep(0.1)
    run(*command, *(("-l",) if os.geteuid() == 0 else ("-z",)), path)


class MountedProgram:
    """Another filesystem than tusfs, mounted at `path` by a program that stays, within a with
    block. `before`: what it needs, which ends after it."""

    def __init__(self, path: pathlib.Path, command: Sequence, log: pathlib.Path, *before) -> None:
        self.path = path
        with contextlib.ExitStack() as stack:
            for needed in before:
                stack.enter_context(needed)
            mounting = stack.enter_context(Background(command, log))
            stack.callback(self._unmount)
            mounting.await_ready(lambda: is_mounted(path), pathlib.Path(command[0]).name)
            self._stack = stack.pop_all()

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self._stack.close()

    def _unmount(self) -> None:
        if is_mounted(self.path):
            unmount(self.path)


class Tusfs:
    """Mounted within a with block. `daemon` and `keeper` are its processes."""

    def __init__(self, session: Session, url: str, *options: str) -> None:
        place = session.fresh("tusfs")
        self.path = place / "mnt"
        self.path.mkdir()
        self._tusfsctl = session.tusfsctl
        # Wherever the directory to measure is; in memory, too.
        where = ("--state-dir", place / "state", "--volatile")
        self._command = (session.tusfs, url, self.path, *where, *options)
        self.mount()

    def __enter__(self) -> "Tusfs":
        return self

    def __exit__(self, *_) -> None:
        self.unmount()

    def mount(self) -> None:
        try:
            run(*self._command)
            said = subprocess.check_output([self._tusfsctl, "status", "--json", self.path])
        except BaseException:
            if is_mounted(self.path):
                unmount(self.path)
            raise
        status = json.loads(said)
        self.daemon: int = status["daemon_pid"]
        self.keeper: int = status["keeper_pid"]

    def unmount(self) -> None:
        """Returns when its processes have ended."""
        if is_mounted(self.path):
            unmount(self.path)
            await_end(self.daemon, self.keeper)

    def wait(self) -> None:
        """Returns when everything is uploaded."""
        run(self._tusfsctl, "wait", self.path)

    def cpu(self) -> float:
        return cpu_seconds(self.daemon)


def require_option(session: Session, option: str) -> None:
    """Raises Skip where the tusfs that is measured has no such option."""
    said = subprocess.check_output([session.tusfs, "--help"], text=True)
    if not re.search(rf"(?m)^ *{option}\b", said):
        raise Skip(f"this tusfs has no {option}")


def default_transfers(session: Session) -> int:
    """How many files tusfs sends at the same time unless it is told."""
    said = subprocess.check_output([session.tusfs, "--help"], text=True)
    if not (default := re.search(r"--transfers.*\(default:? (\d+)", said)):
        raise Failure("tusfs --help does not tell the default of --transfers")
    return int(default[1])
