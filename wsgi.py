"""The web door: `gunicorn wsgi:app`."""

from config.settings import Settings
from marketplace.bootstrap import build
from marketplace.web.app import create_app

app = create_app(build(Settings.from_env()))
