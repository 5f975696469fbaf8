"""The web door: `gunicorn wsgi:app`."""

from config import reporting
from config.logging import configure, take_over
from config.settings import Settings
from marketplace.bootstrap import build
from marketplace.core import tracing
from marketplace.web.app import create_app

configure("web")
take_over()
settings = Settings.from_env()
reporting.begin(settings.sentry_dsn, "web")
tracing.configure(settings.otlp_endpoint, "web")
app = create_app(build(settings))
