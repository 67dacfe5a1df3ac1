"""tus servers to upload to, and what a bare client reaches with them."""

import http.client
import json
import pathlib
import re
import shutil
import socket
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass

from figures import Skip
from processes import Background, Failure, Usage, forked, require, run
from session import SMALL, Session


@dataclass(frozen=True)
class ServerKind:
    """`command` is given the session, a directory for the uploads, and a port, 0 for any. It raises
    Skip where the server is not here."""

    name: str
    command: Callable[[Session, pathlib.Path, int], list]


def _discarding(session: Session, store: pathlib.Path, port: int) -> list:
    return [session.fixture, "--port", port, "--discard"]


def _storing(session: Session, store: pathlib.Path, port: int) -> list:
    return [session.fixture, "--port", port, "--dir", store]


def _tusd(session: Session, store: pathlib.Path, port: int) -> list:
    program = session.servers / "tusd"
    if not program.exists():
        raise Skip(f"tusd is not in {session.servers} (tests/run.sh builds it)")
    return [program, "-host", "127.0.0.1", "-port", port, "-upload-dir", store]


def _tus_node(session: Session, store: pathlib.Path, port: int) -> list:
    if not (session.servers / "node_modules/@tus/server/package.json").exists():
        raise Skip(f"@tus/server is not in {session.servers} (tests/run.sh puts it there)")
    if port != 0:
        raise Skip("@tus/server takes any port only")
    return [require("node"), session.servers / "tus_server.mjs", store]


DISCARDING = ServerKind("discarding", _discarding)
STORING = ServerKind("storing", _storing)
TUSD = ServerKind("tusd", _tusd)
TUS_NODE = ServerKind("@tus/server", _tus_node)
AWAY = "http://127.0.0.1:9/files/"  # nobody listens there


class Server:
    """Runs within a with block. What it stores lies on the disk that is measured."""

    def __init__(self, session: Session, kind: ServerKind, port: int = 0) -> None:
        self._store = session.fresh("uploads")
        self._process = Background(kind.command(session, self._store, port), session.log("server"))
        self.url: str = self._process.await_ready(self._endpoint, kind.name)

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_) -> None:
        self._process.stop()

    def received(self) -> int:
        """Bytes of bodies that came so far, kept or not; of the fixture server alone."""
        with urllib.request.urlopen(urllib.parse.urljoin(self.url, "/stats")) as answer:
            return json.load(answer)["received_bytes"]

    def forget(self) -> None:
        """Removes what it has stored: for a few large files, lest the disk be full."""
        for upload in self._store.iterdir():
            if upload.is_dir():
                shutil.rmtree(upload)
            else:
                upload.unlink()

    def _endpoint(self) -> str | None:
        """The URL at the end of a line that it printed, or its port alone."""
        said = self._process.log.read_text(errors="replace")
        if url := re.search(r"(http://127\.0\.0\.1:\d+/files/)$", said, re.MULTILINE):
            return url[1]
        if port := re.search(r"^(\d+)\n", said, re.MULTILINE):
            return f"http://127.0.0.1:{port[1]}/files/"
        return None


class FarAway:
    """A way to a server, within a with block: so many ms there and back, and so many bytes on
    their way on a connection at most. All together take so many bytes a second."""

    def __init__(
        self, session: Session, server: Server, round_trip: int, window: int, rate: int
    ) -> None:
        backend = urllib.parse.urlsplit(server.url)
        line = ("--round-trip", round_trip, "--window", window, "--rate", rate)
        self._process = Background(
            (session.far_relay, "--backend", backend.port, *line), session.log("far")
        )
        port = self._process.await_ready(
            lambda: self._process.log.read_text().strip(), "tus-far-relay"
        )
        self.url = backend._replace(netloc=f"127.0.0.1:{port}").geturl()

    def __enter__(self) -> "FarAway":
        return self

    def __exit__(self, *_) -> None:
        self._process.stop()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def curl_patch(url: str, source: pathlib.Path) -> Usage:
    """One PATCH of a whole file to a new upload; what creates that is not measured."""
    endpoint = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(endpoint.hostname, endpoint.port)
    length = str(source.stat().st_size)
    connection.request(
        "POST", endpoint.path, headers={"Tus-Resumable": "1.0.0", "Upload-Length": length}
    )
    answer = connection.getresponse()
    answer.read()
    connection.close()
    location = answer.getheader("Location")
    if answer.status != 201 or not location:
        raise Failure(f"POST {url}: {answer.status}")
    headers = (
        "Tus-Resumable: 1.0.0",
        "Upload-Offset: 0",
        "Content-Type: application/offset+octet-stream",
        "Expect:",
    )
    return run(
        *(require("curl"), "-sS", "-f", "--noproxy", "*", "-X", "PATCH", "-T", source),
        *(word for header in headers for word in ("-H", header)),
        urllib.parse.urljoin(url, location),
    )


def plain_connections(url: str, connections: int, files: int) -> float:
    """Files of SMALL bytes that the server takes in a second over so many kept connections, on
    each a POST and a PATCH after the other."""
    shares = [files // connections + (n < files % connections) for n in range(connections)]
    begin = time.monotonic()
    with forked(_send_files, [(url, share) for share in shares]) as senders:
        for sender in senders:
            sender.join()
        if any(sender.exitcode != 0 for sender in senders):
            raise Failure(f"a plain connection to {url} failed")
    return files / (time.monotonic() - begin)


def _send_files(url: str, files: int) -> None:
    endpoint = urllib.parse.urlsplit(url)
    common = f"Host: {endpoint.netloc}\r\nTus-Resumable: 1.0.0\r\n"
    post = (
        f"POST {endpoint.path} HTTP/1.1\r\n{common}Upload-Length: {SMALL}\r\n"
        f"Content-Length: 0\r\n\r\n"
    ).encode()
    patch = (
        f" HTTP/1.1\r\n{common}Upload-Offset: 0\r\nContent-Length: {SMALL}\r\n"
        "Content-Type: application/offset+octet-stream\r\n\r\n"
    ).encode() + bytes(SMALL)
    with socket.create_connection((endpoint.hostname, endpoint.port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(files):
            connection.sendall(post)
            head = _answer(connection, b" 201 ")
            location = re.search(rb"(?i)\r\nlocation: *(?:http://[^/]*)?(\S+)", head)
            connection.sendall(b"PATCH " + location[1] + patch)
            _answer(connection, b" 204 ")


def _answer(connection: socket.socket, status: bytes) -> bytes:
    """The head of the next answer, whose body is read. Raises Failure unless it has that status."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(connection)
    head, body = data.split(b"\r\n\r\n", 1)
    if status not in head.split(b"\r\n", 1)[0] + b" ":
        raise Failure(head.decode(errors="replace"))
    if re.search(rb"(?i)\r\ntransfer-encoding: *chunked", head):
        while not body.endswith(b"0\r\n\r\n"):
            body += _more(connection)
    elif length := re.search(rb"(?i)\r\ncontent-length: *(\d+)", head):
        while len(body) < int(length[1]):
            body += _more(connection)
    return head


def _more(connection: socket.socket) -> bytes:
    if not (data := connection.recv(65536)):
        raise Failure("the server closed the connection")
    return data
