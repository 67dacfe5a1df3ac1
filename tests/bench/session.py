"""One run: its sizes, its directories on disk and in memory, its rounds."""

import contextlib
import itertools
import os
import pathlib
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from figures import Skip
from processes import Failure, run

SMALL = 4096  # bytes of a small file
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
REUSE_SECONDS = 300  # for so long ext4 without a journal passes over the inodes that were freed


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    name: str
    rounds: int
    copied_mib: int  # cp-away, cp-sending
    uploaded_mib: tuple[int, ...]
    file_mib: int  # cpu, rsync, rclone
    memory_mib: int  # the large file of memory
    copied_files: int  # small-away, small-sending, rclone, syscalls
    uploaded_files: tuple[int, ...]
    queued_files: tuple[int, ...]
    entries: int  # of directory
    recorded_seconds: int
    idle_seconds: int
    whole_build: bool
    far_mib: tuple[int, ...]  # parts
    rewritten_seconds: int  # of what is recorded in rewrites


NORMAL = Sizes(
    name="normal",
    rounds=5,
    copied_mib=2048,
    uploaded_mib=(1024, 8192),
    file_mib=1024,
    memory_mib=8192,
    copied_files=5000,
    uploaded_files=(5000, 50000),
    queued_files=(50000,),
    entries=100000,
    recorded_seconds=180,
    idle_seconds=20,
    whole_build=True,
    far_mib=(64, 256),
    rewritten_seconds=20,
)
LONG = replace(
    NORMAL, name="long", uploaded_files=(5000, 50000, 300000), queued_files=(50000, 300000)
)
SHORT = Sizes(
    name="short",
    rounds=2,
    copied_mib=256,
    uploaded_mib=(128,),
    file_mib=128,
    memory_mib=256,
    copied_files=200,
    uploaded_files=(500,),
    queued_files=(1000,),
    entries=2000,
    recorded_seconds=6,
    idle_seconds=5,
    whole_build=False,
    far_mib=(32,),
    rewritten_seconds=6,
)


class Session:
    """Owns the directories of the run. They are removed when it ends, not between rounds: ext4
    without a journal creates slowly until the inodes of thousands of unlinks may be used again,
    also those of an earlier run."""

    def __init__(self, root: pathlib.Path, sizes: Sizes) -> None:
        self.root = root
        self.sizes = replace(
            sizes,
            rounds=int(os.environ.get("BENCH_ROUNDS") or sizes.rounds),
            copied_mib=int(os.environ.get("BENCH_MIB") or sizes.copied_mib),
            copied_files=int(os.environ.get("BENCH_FILES") or sizes.copied_files),
        )
        self.tusfs = _program(os.environ.get("TUSFS_BIN") or root / "build/fs/tusfs")
        self.tusfsctl = _program(os.environ.get("TUSFSCTL_BIN") or root / "build/fs/tusfsctl")
        self.fixture = _program(root / "build/tests/testing/tus-fixture-server")
        self.far_relay = _program(root / "build/tests/bench/tus-far-relay")
        self.servers = pathlib.Path(os.environ.get("TUSFS_SERVERS") or root / "build/servers")
        self._counter = itertools.count(1)

    def __enter__(self) -> "Session":
        self.directory = pathlib.Path(
            tempfile.mkdtemp(prefix="tusfs-bench-", dir=os.environ.get("BENCH_DIR") or "/var/tmp")
        )
        self.memory = pathlib.Path(tempfile.mkdtemp(prefix="tusfs-bench-", dir="/dev/shm"))
        os.environ["TUSFS_RUNTIME_DIR"] = str(self.memory / "registry")
        return self

    def __exit__(self, *_) -> None:
        for number in INTERRUPTS:
            signal.signal(number, signal.SIG_IGN)
        shutil.rmtree(self.memory, ignore_errors=True)
        _remove(self.directory)

    def conditions(self) -> dict:
        commit = subprocess.run(
            ["git", "-C", str(self.root), "rev-parse", "--short", "HEAD"],
            capture_output=True,
            text=True,
        )
        return {
            "sizes": self.sizes.name,
            "medians of": self.sizes.rounds,
            "processors": os.cpu_count(),
            "kernel": platform.release(),
            "commit": commit.stdout.strip() or "unknown",
            "disk": _disk(self.directory),
        }

    def fresh(self, name: str) -> pathlib.Path:
        """A new, empty directory on the disk."""
        path = self.directory / f"{next(self._counter)}-{name}"
        path.mkdir()
        return path

    def clear(self) -> None:
        """Removes what lies on the disk, of which nothing is in use, and waits until that slows
        nothing down: between trees that are too many to lie there at once."""
        for path in self.directory.iterdir():
            _remove(path)
        time.sleep(REUSE_SECONDS)

    def log(self, name: str) -> pathlib.Path:
        return self.memory / f"{next(self._counter)}-{name}.log"

    @contextlib.contextmanager
    def large_file(self, mib: int) -> Iterator[pathlib.Path]:
        """A file of random bytes in memory."""
        self.need_room(mib, 3 * mib)  # in the spool, at a server and plain
        path = self.memory / f"{next(self._counter)}-large"
        try:
            with path.open("wb") as file:
                for _ in range(mib):
                    file.write(os.urandom(1 << 20))
            yield path
        finally:
            path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def small_files(self, count: int, a_directory: int = 5000) -> Iterator[pathlib.Path]:
        """A tree in memory: so many files of SMALL random bytes, of which none are the same, as
        the same would be adopted and not sent. At most `a_directory` of them lie in one."""
        # Mount, disk and server keep one of each round.
        mib = count * SMALL >> 20
        self.need_room(mib, 3 * (self.sizes.rounds + 1) * mib)
        top = self.memory / f"{next(self._counter)}-small"
        try:
            for number in range(count):
                here = top / f"d{number // a_directory:03}"
                if number % a_directory == 0:
                    here.mkdir(parents=True)
                (here / f"f{number:06}").write_bytes(os.urandom(SMALL))
            yield top
        finally:
            shutil.rmtree(top, ignore_errors=True)

    def need_room(self, in_memory: int, on_disk: int) -> None:
        """Raises Skip unless so many MiB may be used."""
        for where, mib in ((self.memory, in_memory), (self.directory, on_disk)):
            free = shutil.disk_usage(where).free >> 20
            if free < mib + 512:  # the disk is not to be filled
                raise Skip(f"{mib + 512} MiB are needed in {where.parent}, {free} are free")

    def rest(self, warm_mib: int) -> None:
        """Nothing of one turn may run into the next: dirty pages go to disk. A virtual machine
        gives free memory back to its host, and the first touch of it again is slow: so much as
        the next turn needs is touched, as long as that leaves half of what is free."""
        run("sync", "-f", self.directory)
        warm = self.memory / "warm"
        zeros = bytes(1 << 20)
        with warm.open("wb") as file:
            for _ in range(min(warm_mib, _available_mib() // 2)):
                file.write(zeros)
        warm.unlink()

    def in_turns(self, warm_mib: int, *turns: Callable[[int], dict]) -> dict[str, list[float]]:
        """Calls each of `turns` once a round, with the round's number, beginning with another one
        each time. Returns, for each name that they give a value, the values of the rounds that
        count."""
        values: dict[str, list[float]] = {}
        for number in range(self.sizes.rounds + 1):
            for turn in turns if number % 2 == 0 else turns[::-1]:
                self.rest(warm_mib)
                begin = time.monotonic()
                measured = turn(number)
                _show(number, time.monotonic() - begin, measured)
                if number > 0:
                    for name, value in measured.items():
                        values.setdefault(name, []).append(value)
        return values


def _remove(path: pathlib.Path) -> None:
    """A tree, but nothing that is mounted in it."""
    subprocess.run(["rm", "-rf", "--one-file-system", str(path)], check=False)


def _disk(path: pathlib.Path) -> str:
    """The filesystem of a directory, and of ext4 whether it lacks a journal: small files are not
    to be measured there."""
    device = path.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    mounts = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
    kinds = [line.split(" - ")[1].split()[0] for line in mounts if line.split()[2] == number]
    kind = kinds[-1] if kinds else "unknown"
    block = pathlib.Path("/sys/dev/block") / number
    journals = pathlib.Path("/proc/fs/jbd2")
    if kind != "ext4" or any(journals.glob(f"{block.resolve().name}-*")):
        return kind
    return "ext4 without a journal, slow after unlinks"


def _show(number: int, seconds: float, measured: dict) -> None:
    what = ", ".join(f"{name} {value:.4g}" for name, value in measured.items())
    print(
        f"   round {number or 'to warm up'} ({seconds:.1f} s): {what}", file=sys.stderr, flush=True
    )


def _available_mib() -> int:
    for line in pathlib.Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) >> 10
    return 0


def _program(path: str | pathlib.Path) -> pathlib.Path:
    if not os.access(path, os.X_OK):
        raise Failure(f"there is no {path}: build first")
    return pathlib.Path(path).resolve()
