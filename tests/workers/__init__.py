"""The RQ door: workers and the scheduler."""
