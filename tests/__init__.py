"""Tests: rules as tables, use cases on a real PostgreSQL, HTTP, workers, faults."""
