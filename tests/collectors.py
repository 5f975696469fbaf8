"""Real HTTP servers that take what the product hands on, and keep it."""

import gzip
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import brotli

PATIENCE = 20.0

UNPACK = {"": bytes, "gzip": gzip.decompress, "br": brotli.decompress}


@dataclass
class Collector:
    """Where it answers, and what came: path, headers and body, unpacked."""

    address: str
    came: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    def wait_for(self, enough, what):
        """Return what `enough` makes of what came, once that is something."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if found := enough(self):
                return found
            time.sleep(0.02)
        raise AssertionError(f"{what} did not come; there came {self.came}")

    @property
    def everything(self) -> bytes:
        """All bytes that came, headers included."""
        return b"\n".join(
            path.encode() + json.dumps(headers).encode() + body for path, headers, body in self.came
        )


@contextmanager
def collecting(status: int = 200) -> Iterator[Collector]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            body = UNPACK[self.headers.get("Content-Encoding", "")](body)
            collector.came.append((self.path, dict(self.headers), body))
            self.send_response(status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector = Collector(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()
