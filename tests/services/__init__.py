"""Use cases on a real PostgreSQL."""
