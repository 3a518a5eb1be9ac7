"""A server like GDC's, on this machine, which can be told to fail."""

from __future__ import annotations

import hashlib
import http.server
import re
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ccl.io.gdc import GdcFile


@dataclass
class Gdc:
    """The files of the server by id, and what it does wrong at the next requests of each."""

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    ranges: dict[str, list[str | None]] = field(default_factory=lambda: defaultdict(list))
    """The header `Range` of each request of a file."""
    tokens: list[str | None] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    """Set when the server ends; a connection that hangs waits for it."""
    most: int = 0
    """Requests at one time."""

    def add(self, name: str, content: bytes, *faults: str) -> GdcFile:
        """Serve a file, after some requests that fail; return its line of the manifest."""
        self.files[f"id-{name}"] = content
        self.faults[f"id-{name}"] = list(faults)
        return GdcFile(f"id-{name}", name, hashlib.md5(content).hexdigest(), len(content))


@contextmanager
def serving() -> Iterator[Gdc]:
    """Serve files until the block ends."""
    state, lock, busy = Gdc(), threading.Lock(), [0]

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            with lock:
                busy[0] += 1
                state.most = max(state.most, busy[0])
            try:
                self.answer(self.path.rsplit("/", 1)[1])
            finally:
                with lock:
                    busy[0] -= 1

        def answer(self, name: str) -> None:
            state.ranges[name].append(self.headers["Range"])
            state.tokens.append(self.headers["X-Auth-Token"])
            content = state.files[name]
            fault, number = (
                re.fullmatch(r"([a-z ]*)(\d*)", state.faults[name].pop(0)).groups() if state.faults[name] else ("", "")
            )
            if fault == "redirect":
                self.send_response(302)
                self.send_header("Location", state.address.replace("127.0.0.1", "localhost") + name)
                self.send_header("Content-Length", "0")
                return self.end_headers()
            if fault == "status ":
                return self.send_error(int(number))
            if fault == "wrong bytes":
                content = bytes(255 - byte for byte in content)
            if fault == "page":
                content = b"<html>Log in first</html>"
            if fault == "no range" or not self.headers["Range"]:
                start = 0
                self.send_response(200)
            else:
                start = int(self.headers["Range"][6:-1]) + (fault == "other place")
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.send_header("Content-Type", "text/html" if fault == "page" else "application/octet-stream")
            if fault != "unsized":
                self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            end = start + int(number) if fault in ("drop ", "hang ", "no range") and number else len(content)
            self.wfile.write(content[start:end])
            if fault == "hang ":
                self.wfile.flush()
                state.over.wait()

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.address = f"http://127.0.0.1:{server.server_port}/data/"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield state
        state.over.set()
        server.shutdown()
        thread.join()
