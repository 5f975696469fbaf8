"""How gunicorn serves the web door; `marketplace web` adds address, processes and threads."""  # noqa: N999 (gunicorn's own name for it)

import itertools
import socket
import struct
from typing import Any

from marketplace.core import metrics

logger_class = "config.logging.GunicornLogger"
loglevel = "warning"

wsgi_app = "wsgi:app"
worker_class = "config.web_worker.Worker"
# Built once and forked: nothing is connected to before the first request.
preload_app = True
timeout = 30
graceful_timeout = 10
keepalive = 5
# Tokens and cookies fit many times over; what is larger is somebody's try, and answered with 400.
limit_request_line = 4_094
limit_request_fields = 60
limit_request_field_size = 8_190
# Nothing of the request may decide who sent it or how: see MARKETPLACE_TRUSTED_PROXIES.
forwarder_headers = ""
header_map = "drop"
control_socket_disable = True
# The sign of life of a process is a file: in memory, so that a slow disk kills nobody.
worker_tmp_dir = str(metrics.in_memory())
# Which proxies are believed is MARKETPLACE_TRUSTED_PROXIES' to say, and nobody else's.
forwarded_allow_ips = ""

PATIENCE = 20
"""Seconds for which a thread waits to be rid of the next piece of an answer."""


def when_ready(server: Any) -> None:
    """Give whoever does not read the answer up: it would hold a thread for ever.

    Connections take this over from the socket that accepts them (Linux, socket(7)). Whoever is slow
    to ask is for `web_worker`.
    """
    for listener in server.LISTENERS:
        patience = struct.pack("ll", PATIENCE, 0)
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, patience)


def pre_fork(server: Any, worker: Any) -> None:
    """Give a process the first place that is free."""
    taken = {each.place for each in server.WORKERS.values()}
    worker.place = next(number for number in itertools.count() if number not in taken)


def post_fork(server: Any, worker: Any) -> None:
    """Have it count there."""
    metrics.take_place(worker.ppid, worker.place)


def child_exit(server: Any, worker: Any) -> None:
    """Forget what a process that has ended held; what it counted stays."""
    metrics.place_is_free(worker.ppid, worker.place)
    if server.LISTENERS:  # let go of before anything else by one that was asked to stop
        metrics.PROCESSES_ENDED.labels("web").inc()


def on_exit(server: Any) -> None:
    """Remove where the processes of this server counted."""
    metrics.count_no_more()
