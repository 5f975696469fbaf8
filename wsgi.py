"""The web door: `gunicorn wsgi:app`."""

from config.logging import configure
from config.settings import Settings
from marketplace.bootstrap import build
from marketplace.web.app import create_app

configure("web")
app = create_app(build(Settings.from_env()))
