"""The RQ door: jobs that transactions rang, and sweeps on the clock."""

import marketplace  # noqa: F401  (before redis-py, which it keeps from what it does not need)
