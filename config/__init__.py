"""How an installation is set up: settings, logging, the web server, deployment files."""

import marketplace  # noqa: F401  (before redis-py, which it keeps from what it does not need)
