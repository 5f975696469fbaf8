"""People and software that sign in: users, passwords, sessions, API keys."""
