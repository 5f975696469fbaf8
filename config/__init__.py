"""How an installation is set up: settings, logging, the web server, deployment files."""
