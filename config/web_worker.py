"""gunicorn's threaded worker, with an end to how long a client may take to send its request.

The library waits for as long as a client keeps sending a byte now and then, and each such client
holds a thread: as many of them as there are threads would stop everybody. Here the side of the
connection that is read is shut at the deadline. What had arrived by then is answered (a body that
ends too early by 400), and the thread is free. How long the product itself takes is not counted.
"""

import errno
import socket
import time
from contextlib import suppress
from typing import Any

from gunicorn.http.errors import ParseException
from gunicorn.workers.gthread import ThreadWorker

HEADERS_WITHIN = 10.0
"""Seconds from the first byte until the line and all headers of a request have arrived ..."""
BODY_WITHIN = 60.0
"""... and its body: ten mebibytes at 1.4 Mbit/s."""

UNREAD_AT_MOST = 101 * 1024 * 1024
"""Bytes of a body that are still read when the answer is out, for as long as nginx lets through.

Who is refused by the first line, as one without a key, may be sending for a while. Closed
meanwhile, the line is lost to them and the answer with it: nginx says 502. The library reads
64 KiB.
"""
UNREAD_WITHIN = 5.0
"""Seconds for it: nginx has all of it at hand."""


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types
    """Reads each request against a deadline."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadlines: dict[Any, float] = {}

    def handle(self, conn: Any) -> Any:
        """Read a request and answer it; a thread of its own does."""
        self._deadlines[conn] = time.monotonic() + HEADERS_WITHIN
        try:
            return super().handle(conn)
        finally:
            self._deadlines.pop(conn, None)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answer a request whose headers are there."""
        self._deadlines[conn] = time.monotonic() + BODY_WITHIN
        _lose_what_is_torn(req.body.reader)
        goes_on = super().handle_request(req, conn)
        until = time.monotonic() + UNREAD_WITHIN
        return conn.parser.finish_body(deadline=until, max_bytes=UNREAD_AT_MOST) and goes_on

    def murder_pending(self) -> None:
        """Look after every connection, once a second: here, end what takes too long to arrive."""
        super().murder_pending()
        now = time.monotonic()
        for conn, deadline in list(self._deadlines.items()):
            if now >= deadline:
                self._deadlines.pop(conn, None)
                with suppress(OSError):  # it has gone by itself
                    conn.sock.shutdown(socket.SHUT_RD)


def _lose_what_is_torn(reader: Any) -> None:
    """Let a body whose chunks make no sense end as one whose line was lost: that is answered 400.

    The library raises errors of its own in the middle of a read, which would look like our fault.
    """
    read = reader.read

    def read_or_lose(size: int) -> Any:
        try:
            return read(size)
        except ParseException as error:
            # A number by which it is a client's doing, and no error of ours in the log.
            said = "the chunks of this body make no sense"
            raise ConnectionResetError(errno.ECONNRESET, said) from error

    reader.read = read_or_lose
