"""The web door: `gunicorn wsgi:app`."""

from config.logging import configure, take_over
from config.settings import Settings
from marketplace.bootstrap import build
from marketplace.web.app import create_app

configure("web")
take_over()
app = create_app(build(Settings.from_env()))
