"""gunicorn as `marketplace web` starts it, with deadlines that a test can wait for."""

from pathlib import Path

from config import web_worker

exec((Path(__file__).parents[2] / "config" / "gunicorn.conf.py").read_text())

web_worker.HEADERS_WITHIN, web_worker.BODY_WITHIN = 1.5, 2.0
