"""A web server on this machine that misbehaves on demand, for the tests of downloads."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Server:
    """Serves `files`, and remembers the requests.

    Attributes:
        files: contents by path, such as "/weights.bin".
        ranges: whether it can send parts.
        drop_after: bytes after which it closes the connection, one entry a request; none left: it never does.
        tag: its mark of the version ("" sends none).
        requests: the Range header of every request, or None.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.ranges = True
        self.drop_after: list[int] = []
        self.tag = '"one"'
        self.redirect: dict[str, str] = {}
        self.statuses: list[int] = []  # answered first, one a request
        self.requests: list[str | None] = []
        self.url = ""


def _handler(server: Server) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            server.requests.append(self.headers.get("Range"))
            if server.statuses:
                self.send_error(server.statuses.pop(0))
                return
            if self.path in server.redirect:
                self.send_response(302)
                self.send_header("Location", server.redirect[self.path])
                self.end_headers()
                return
            content = server.files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            start = self._start(len(content))
            if start is None:
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            if server.tag:
                self.send_header("ETag", server.tag)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            body = content[start:]
            if server.drop_after:
                self.wfile.write(body[: server.drop_after.pop(0)])
                self.wfile.flush()
                self.connection.close()
                self.close_connection = True
                return
            self.wfile.write(body)

        def _start(self, size: int) -> int | None:
            wanted = self.headers.get("Range")
            if not wanted or not server.ranges or self.headers.get("If-Range", server.tag) != server.tag:
                return 0
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            return start if start < size else None

    return Handler


@contextmanager
def serve() -> Iterator[Server]:
    """A running server; it ends with the block."""
    server = Server()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(server)) as running:
        server.url = f"http://127.0.0.1:{running.server_address[1]}"
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            running.shutdown()
            thread.join()
