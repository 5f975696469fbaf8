"""How gunicorn serves the web door; `marketplace web` adds address, processes and threads."""  # noqa: N999 (gunicorn's own name for it)

from pathlib import Path

logger_class = "config.logging.GunicornLogger"
loglevel = "warning"

wsgi_app = "wsgi:app"
worker_class = "config.web_worker.Worker"
# Built once and forked: nothing is connected to before the first request.
preload_app = True
timeout = 30
graceful_timeout = 10
keepalive = 5
# The sign of life of a process is a file: in memory, so that a slow disk kills nobody.
# a folder in memory, files of gunicorn's own making
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # nosec B108
# Which proxies are believed is MARKETPLACE_TRUSTED_PROXIES' to say, and nobody else's.
forwarded_allow_ips = ""
