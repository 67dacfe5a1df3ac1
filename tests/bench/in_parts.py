"""Rows of --parts: a server that is far away, and files that are rewritten while they are sent."""

import contextlib
import os
import pathlib
import time
from collections.abc import Callable, Iterator

from figures import Figure, Row, Skip
from large_files import size_of
from mounts import QUICK, Tusfs, require_option
from processes import require, run
from servers import DISCARDING, FarAway, Server
from session import Session

ROUND_TRIP = 200  # ms
WINDOW = 1 << 20  # bytes of one connection on their way: 5 MB a second
LINE = 50_000_000  # bytes a second of all connections
ONE_STREAM = ("off", 4)
IN_PARTS = tuple((size, transfers) for size in ("4MiB", "16MiB") for transfers in (1, 4, 16))
PACE = 8_000_000  # bytes a second that a program writes


def _until_uploaded(session: Session, source: pathlib.Path, url: str, how: tuple) -> Callable:
    size, transfers = how

    def turn(_: int) -> dict:
        options = ("--parts", size, "--transfers", str(transfers))
        with Tusfs(session, url, *QUICK, *options) as mount:
            begin = time.monotonic()
            run("cp", source, mount.path / "large")
            mount.wait()
            return {f"{size} {transfers}": time.monotonic() - begin}

    return turn


def parts(session: Session) -> Iterator[Figure]:
    require_option(session, "--parts")
    for mib in session.sizes.far_mib:
        with (
            session.large_file(mib) as source,
            Server(session, DISCARDING) as server,
            FarAway(session, server, ROUND_TRIP, WINDOW, LINE) as far,
        ):
            ways = (ONE_STREAM, *IN_PARTS)
            values = session.in_turns(
                mib, *(_until_uploaded(session, source, far.url, how) for how in ways)
            )
        for size, transfers in IN_PARTS:
            yield Figure(
                f"cp until uploaded, {size_of(mib)}, --parts {size} --transfers {transfers}",
                "s",
                values[f"{size} {transfers}"],
                values["{} {}".format(*ONE_STREAM)],
                "one stream",
            )


# ---- rewrites: each writes one file into a mount, slowly enough that it is sent meanwhile, and
# returns how long it is.


def _recorder(*format: str, sound: bool = False) -> Callable:
    def record(session: Session, mount: pathlib.Path, number: int) -> int:
        seconds = session.sizes.rewritten_seconds
        picture = f"testsrc2=s=640x480:r=25:d={seconds},noise=alls=40:allf=t"
        noise = f"anoisesrc=sample_rate=192000:d={seconds}"
        inputs = ("-re", "-f", "lavfi", "-i", noise if sound else picture)
        codec = ("-ac", "8", "-c:a", "pcm_f32le") if sound else ("-c:v", "mjpeg", "-q:v", "2")
        target = mount / f"{format[-1]}-{number}.{format[-1]}"
        ffmpeg = (require("ffmpeg"), "-nostdin", "-v", "error", "-y")
        run(*ffmpeg, *inputs, *codec, "-f", *format, target)
        return target.stat().st_size

    return record


def _random_file(session: Session) -> pathlib.Path:
    """Other bytes each time: the same would be adopted and not sent."""
    path = session.memory / "rewritten"
    path.write_bytes(os.urandom(session.sizes.rewritten_seconds * PACE))
    return path


def _by_rsync(session: Session, mount: pathlib.Path, number: int) -> int:
    source, beside = _random_file(session), mount / ".rsync-tmp"
    beside.mkdir(exist_ok=True)
    limit = ("-a", f"--temp-dir={beside}", f"--bwlimit={PACE // 1024}")
    run(require("rsync"), *limit, source, mount / f"rsync-{number}")
    return source.stat().st_size


def _by_rename(session: Session, mount: pathlib.Path, number: int) -> int:
    """As programs of GNOME save."""
    source = _random_file(session)
    temporary = mount / f".goutputstream-{number:06}"
    begin, written = time.monotonic(), 0
    with source.open("rb") as read, temporary.open("wb", buffering=0) as write:
        while body := read.read(1 << 17):
            time.sleep(max(0, begin + written / PACE - time.monotonic()))
            written += write.write(body)
    temporary.rename(mount / f"saved-{number}")
    return written


def _by_cp(session: Session, mount: pathlib.Path, number: int) -> int:
    source = _random_file(session)
    run("cp", "-p", source, mount / f"copied-{number}")
    return source.stat().st_size


WRITERS = (
    ("ffmpeg -re, mp4", _recorder("mp4")),
    ("ffmpeg -re, mov", _recorder("mov")),
    ("ffmpeg -re, wav", _recorder("wav", sound=True)),
    ("rsync --temp-dir", _by_rsync),
    (".goutputstream-XXXXXX and rename", _by_rename),
    ("cp -p", _by_cp),
)


def _times_on_the_wire(session: Session, write: Callable, name: str, size: str) -> Callable:
    def turn(number: int) -> dict:
        with (
            Server(session, DISCARDING) as server,
            Tusfs(session, server.url, *QUICK, "--parts", size) as mount,
        ):
            length = write(session, mount.path, number)
            mount.wait()
            return {name: server.received() / length}

    return turn


def rewrites(session: Session) -> Iterator[Figure | Skip]:
    require_option(session, "--parts")
    for name, write in WRITERS:
        try:
            values = session.in_turns(
                256,
                _times_on_the_wire(session, write, "parts", "4MiB"),
                _times_on_the_wire(session, write, "one stream", "off"),
            )
        except Skip as reason:
            yield reason
            continue
        finally:
            with contextlib.suppress(FileNotFoundError):
                (session.memory / "rewritten").unlink()
        yield Figure(
            f"{name}, --parts 4MiB",
            "bytes sent ÷ size",
            values["parts"],
            values["one stream"],
            "one stream",
        )


ROWS = (
    Row("parts", "cp until uploaded to a server that is far away, in parts ÷ one stream", parts),
    Row("rewrites", "bytes sent of files that are rewritten while they are sent", rewrites),
)
