"""A server of our own in place of SendGrid's: it speaks `POST /v3/mail/send`, well or badly."""

import json
import random
import socket
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event as Signal
from threading import Thread
from typing import Any


class MailService:
    """A server of our own in place of SendGrid's."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.posts: list[dict[str, Any]] = []
        self.taken: list[dict[str, Any]] = []
        """Those that it will deliver, whether or not it got to say so."""
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.behave: Callable[[BaseHTTPRequestHandler], None] = answering(202)
        self.done = Signal()
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.post = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                service.posts.append(self.post)
                service.headers.append(dict(self.headers))
                service.paths.append(self.path)
                service.behave(self)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer((host, 0), Handler)
        self.server.service = self  # for whoever answers in its name
        self.thread = Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def copies(self) -> Counter[str]:
        """Return how often each message was taken, by its notification's id."""
        return Counter(notification_of(post) for post in [*self.taken])

    @property
    def url(self) -> str:
        host, port = self.server.server_address[:2]
        return f"http://{host}:{port}"

    def stop(self) -> None:
        self.done.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def answering(status: int, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def behave(handler: BaseHTTPRequestHandler) -> None:
        if 200 <= status < 300:
            take(handler)
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", "2")
        handler.end_headers()
        handler.wfile.write(b"{}")

    return behave


def take(handler: BaseHTTPRequestHandler) -> None:
    """Note that the message at hand will be delivered, if this is a mail service."""
    service = getattr(handler.server, "service", None)
    if service is not None:
        service.taken.append(handler.post)


def dropping(handler: BaseHTTPRequestHandler) -> None:
    take(handler)
    handler.connection.shutdown(socket.SHUT_RDWR)


def half_an_answer(handler: BaseHTTPRequestHandler) -> None:
    take(handler)
    handler.send_response(202)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"{")
    handler.close_connection = True


def stalling(seconds: float) -> Callable[[BaseHTTPRequestHandler], None]:
    """Answer so late that whoever asked has gone."""

    def behave(handler: BaseHTTPRequestHandler) -> None:
        service_of(handler).done.wait(seconds)
        answering(202)(handler)

    return behave


def mostly(
    share: float,
    bad: Callable[[BaseHTTPRequestHandler], None],
    *,
    draw: random.Random,
) -> Callable[[BaseHTTPRequestHandler], None]:
    """Behave well, but for a share of the time."""

    def behave(handler: BaseHTTPRequestHandler) -> None:
        (bad if draw.random() < share else answering(202))(handler)

    return behave


def service_of(handler: BaseHTTPRequestHandler) -> MailService:
    """Return the service that a handler answers for."""
    service: MailService = handler.server.service
    return service


def notification_of(post: dict[str, Any]) -> str:
    """Return the id of the notification that a post to the service carries."""
    (person,) = post["personalizations"]
    arguments = {**post.get("custom_args", {}), **person.get("custom_args", {})}
    return str(arguments["notification_id"])
