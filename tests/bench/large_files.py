"""Rows of one large file: cp, cp until it is uploaded, rsync, and the daemon's CPU."""

import contextlib
import pathlib
import time
from collections.abc import Iterator

from figures import Figure, Goal, Row, Skip
from mounts import AT_ONCE, QUICK, Tusfs
from processes import await_quiet, require, run
from servers import AWAY, DISCARDING, TUS_NODE, TUSD, Server, curl_patch, free_port
from session import Session

NO_CHECKSUMS = ("--checksum", "off")  # curl sends none
# Server, options, and what to call that.
VARIANTS = (
    (DISCARDING, NO_CHECKSUMS, "discarding, no checksums"),
    (DISCARDING, (), "discarding, with checksums"),
    (TUSD, (), "tusd"),
    (TUS_NODE, (), "@tus/server"),
)


# Those that can come later at a port that is known before.
ABSENT_AT_FIRST = tuple(variant for variant in VARIANTS if variant[0] is not TUS_NODE)
NO_SHA256 = (*NO_CHECKSUMS, "--sha256", "off")  # curl digests nothing


def size_of(mib: int) -> str:
    return f"{mib >> 10} GiB" if mib % 1024 == 0 else f"{mib} MiB"


def _copies(session: Session, mib: int, mount: Tusfs, wait: bool, *program: str) -> dict:
    """Seconds of `program SOURCE TARGET` into the mount and onto the disk."""
    plain = session.fresh("plain")
    with session.large_file(mib) as source:

        def on_mount(number: int) -> dict:
            target = mount.path / f"large-{number}"
            seconds = run(*program, source, target).seconds
            if wait:
                mount.wait()
            target.unlink()
            return {"tusfs": seconds}

        def on_disk(number: int) -> dict:
            target = plain / f"large-{number}"
            seconds = run(*program, source, target).seconds
            target.unlink()
            return {"disk": seconds}

        return session.in_turns(mib * 3 // 2, on_mount, on_disk)


def cp_away(session: Session) -> Iterator[Figure]:
    mib = session.sizes.copied_mib
    with Tusfs(session, AWAY, *QUICK) as mount:
        values = _copies(session, mib, mount, False, "cp")
    name = f"cp of {size_of(mib)}, server away"
    yield Figure(name, "s", values["tusfs"], values["disk"], "disk", Goal("ratio", 1.25))


def cp_sending(session: Session) -> Iterator[Figure]:
    mib = session.sizes.copied_mib
    with Server(session, DISCARDING) as server, Tusfs(session, server.url, *QUICK) as mount:
        values = _copies(session, mib, mount, True, "cp")
    name = f"cp of {size_of(mib)}, being sent"
    yield Figure(name, "s", values["tusfs"], values["disk"], "disk", Goal("ratio", 1.8))


def rsync(session: Session) -> Iterator[Figure]:
    mib = session.sizes.file_mib
    with Tusfs(session, AWAY, *QUICK) as mount:
        values = _copies(session, mib, mount, False, require("rsync"), "-a")
    name = f"rsync -a of {size_of(mib)}, server away"
    yield Figure(name, "s", values["tusfs"], values["disk"], "disk", Goal("ratio", 1.5))


def _upload(session: Session, source: pathlib.Path, server: Server, mount: Tusfs) -> dict:
    """From the start of cp until the server has all, beside the disk and the wire alone."""
    plain = session.fresh("plain")

    def by_tusfs(number: int) -> dict:
        target = mount.path / f"large-{number}"
        cpu, begin = mount.cpu(), time.monotonic()
        copied = run("cp", source, target).seconds
        mount.wait()
        seconds, cpu = time.monotonic() - begin, mount.cpu() - cpu
        target.unlink()
        server.forget()
        return {"tusfs": seconds, "cp": copied, "daemon CPU": cpu}

    def bare(number: int) -> dict:
        target = plain / f"large-{number}"
        dd = run("dd", f"if={source}", f"of={target}", "bs=1M", "conv=fdatasync").seconds
        target.unlink()
        session.rest(0)
        curl = curl_patch(server.url, source)
        server.forget()
        return {"dd": dd, "curl": curl.seconds, "curl CPU": curl.cpu}

    return session.in_turns(source.stat().st_size * 3 >> 21, by_tusfs, bare)


def uploaded(session: Session) -> Iterator[Figure | Skip]:
    require("curl")
    for mib in session.sizes.uploaded_mib:
        with session.large_file(mib) as source:
            for kind, options, label in VARIANTS:
                try:
                    with (
                        Server(session, kind) as server,
                        Tusfs(session, server.url, *AT_ONCE, *options) as mount,
                    ):
                        values = _upload(session, source, server, mount)
                except Skip as reason:
                    yield reason
                    continue
                yield Figure(
                    f"cp until uploaded, {size_of(mib)}, {label}",
                    "s",
                    values["tusfs"],
                    [max(pair) for pair in zip(values["dd"], values["curl"])],
                    "dd or curl",
                    Goal("ratio", 1.15),
                    details=values,
                )


def _sending_cpu(session: Session, source: pathlib.Path, kind, options: tuple) -> dict:
    """CPU seconds of the daemon for a file that was in the spool before the server came, and of
    curl for the same file."""
    port = free_port()
    with Tusfs(session, f"http://127.0.0.1:{port}/files/", *AT_ONCE, *options) as mount:

        def by_tusfs(number: int) -> dict:
            target = mount.path / f"large-{number}"
            run("cp", source, target)
            await_quiet(mount.daemon)
            session.rest(0)
            cpu = mount.cpu()
            with Server(session, kind, port) as server:
                mount.wait()
                cpu = mount.cpu() - cpu
                server.forget()
            target.unlink()
            return {"tusfs": cpu}

        def by_curl(number: int) -> dict:
            with Server(session, kind) as server:
                cpu = curl_patch(server.url, source).cpu
                server.forget()
            return {"curl": cpu}

        return session.in_turns(source.stat().st_size * 3 >> 21, by_tusfs, by_curl)


def cpu(session: Session) -> Iterator[Figure | Skip]:
    require("curl")
    mib = session.sizes.file_mib
    with session.large_file(mib) as source:
        for kind, options, label in (
            (DISCARDING, NO_SHA256, "discarding, no checksums, no SHA-256"),
            *ABSENT_AT_FIRST,
        ):
            try:
                sending = _sending_cpu(session, source, kind, options)
                with contextlib.ExitStack() as stack:
                    server = stack.enter_context(Server(session, kind))
                    mount = stack.enter_context(Tusfs(session, server.url, *AT_ONCE, *options))
                    both = _upload(session, source, server, mount)
            except Skip as reason:
                yield reason
                continue
            yield Figure(
                f"daemon CPU, sending only, {label}",
                "s/GiB",
                [seconds * 1024 / mib for seconds in sending["tusfs"]],
                [seconds * 1024 / mib for seconds in sending["curl"]],
                "curl",
                Goal("ratio", 1.15),
            )
            yield Figure(
                f"daemon CPU, in and out, {label}",
                "s/GiB",
                [seconds * 1024 / mib for seconds in both["daemon CPU"]],
                [seconds * 1024 / mib for seconds in both["curl CPU"]],
                "curl",
                Goal("value", 0.9),
            )


ROWS = (
    Row("cp-away", "cp of a large file while the server is away ÷ the disk", cp_away),
    Row("cp-sending", "cp of a large file while it is being sent ÷ the disk", cp_sending),
    Row(
        "uploaded",
        "cp until uploaded, --settle 0 ÷ the slower of dd conv=fdatasync and curl",
        uploaded,
    ),
    Row("cpu", "CPU of the daemon a GiB: sending only ÷ curl, in and out", cpu),
    Row("rsync", "rsync -a of 1 GiB ÷ the disk", rsync),
)
