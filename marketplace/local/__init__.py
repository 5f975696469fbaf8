"""This machine's embedded PostgreSQL and Redis, for `marketplace up` and for the tests."""
