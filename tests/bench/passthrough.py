"""The row beside a filesystem that does nothing: libfuse's example passthrough_ll with direct I/O.
What it costs more than the disk is what FUSE itself costs."""

import pathlib
import resource
import shlex
import subprocess
from collections.abc import Iterator

from figures import Figure, Row, Skip
from large_files import size_of
from mounts import QUICK, MountedProgram, Tusfs
from processes import require, run
from servers import AWAY
from session import Session

EXAMPLES = pathlib.Path("/usr/share/doc/libfuse3-dev/examples")
MOST = 2500  # files a round: the example keeps a descriptor of every one


def _mount(session: Session) -> MountedProgram:
    """Over a directory on the disk that is measured."""
    place = session.fresh("passthrough")
    path, below = place / "mnt", place / "below"
    for directory in (path, below):
        directory.mkdir()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    command = (_build(place), "-f", "-o", f"source={below},cache=never", path)
    return MountedProgram(path, command, session.log("passthrough"))


def _build(place: pathlib.Path) -> pathlib.Path:
    source = EXAMPLES / "passthrough_ll.c"
    if not source.exists():
        raise Skip(f"there is no {source}")
    flags = subprocess.check_output([require("pkg-config"), "--cflags", "--libs", "fuse3"], text=True)
    program = place / "passthrough_ll"
    run(require("cc"), "-O2", source, "-o", program, *shlex.split(flags))
    return program


def _large(session: Session, ours: pathlib.Path, bare: pathlib.Path) -> dict:
    mib = session.sizes.copied_mib
    with session.large_file(mib) as source:

        def copy(name: str, directory: pathlib.Path, number: int) -> dict:
            target = directory / f"large-{number}"
            seconds = run("cp", source, target).seconds
            target.unlink()
            return {name: seconds}

        return session.in_turns(
            mib * 3 // 2,
            lambda number: copy("tusfs", ours, number),
            lambda number: copy("passthrough", bare, number),
        )


def _small(session: Session, ours: pathlib.Path, bare: pathlib.Path, count: int) -> dict:
    with session.small_files(count) as source:

        def copy(name: str, directory: pathlib.Path, number: int) -> dict:
            seconds = run("cp", "-r", source, directory / f"small-{number}").seconds
            return {name: 1e6 * seconds / count}

        return session.in_turns(
            256,
            lambda number: copy("tusfs", ours, number),
            lambda number: copy("passthrough", bare, number),
        )


def passthrough(session: Session) -> Iterator[Figure]:
    with _mount(session) as bare, Tusfs(session, AWAY, *QUICK) as mount:
        large = _large(session, mount.path, bare.path)
        count = min(session.sizes.copied_files, MOST)
        small = _small(session, mount.path, bare.path, count)
    name = f"cp of {size_of(session.sizes.copied_mib)}, server away"
    yield Figure(name, "s", large["tusfs"], large["passthrough"], "bare FUSE")
    name = f"cp -r of {count:,} × 4 KiB, server away"
    yield Figure(name, "µs a file", small["tusfs"], small["passthrough"], "bare FUSE")


ROWS = (
    Row("passthrough", "cp beside a FUSE filesystem that only passes on", passthrough),
)
